"""``cityforge rules interview``: asks a veteran in frequencies and writes the rule."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cityforge.invocation import Invocation
from cityforge.packs import find_pack
from cityforge.rule_files import write_text
from contracts import ConfigurationError, DataError, Language, Level, Pack, Procedure, Text, load_pack
from knowledge_graph import (
    RULE_SCHEMA,
    Interview,
    Question,
    Written,
    load_procedures,
    load_rules,
    with_modeline,
)

BACK = {"back", "返回"}
LEVELS_ZH = {Level.BLUE: "蓝色", Level.YELLOW: "黄色", Level.ORANGE: "橙色", Level.RED: "红色"}
HELP = {"?", "？"}


def interview(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack that the rule goes into: a folder or a name.")],
    *,
    language: Annotated[Language, typer.Option(help="Language of the questions.")] = Language.ZH,
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; default the pack's rules folder.", metavar="FILE")
    ] = None,
) -> None:
    """Ask a veteran in frequencies and write the rule, with its tests. Answers may come from a pipe, one a line.

    Empty answers mean "none" where the question says so; 'back' (返回) asks the last question again, '?' lists what is
    known. Nothing is written before the last answer.

    [bold]Example[/bold]

        cityforge rules interview my-pack --language en
    """
    if to is not None and to.exists():
        message = f"{to} is there already. Name another file with --to."
        raise DataError(message)
    found = load_pack(find_pack(pack, base=invocation.settings.folder))
    procedures = load_procedures(found.procedures)
    dialogue = Interview(found.signs, procedures, language, _taken(found, procedures))
    _hold(invocation, dialogue, language)
    written = dialogue.write(found.places, timezone=found.header.timezone)
    path = _save(found, written, to)
    _tell(invocation, language, path, written)
    invocation.result({"rule": written.rule, "file": path, "level": written.level, "probability": written.probability})


def _taken(pack: Pack, procedures: dict[str, Procedure]) -> frozenset[str]:
    try:
        known = load_rules(pack.rules, pack.signs, pack.places, procedures, timezone=pack.header.timezone)
    except ConfigurationError:  # the rules there may be unfinished; the new one is checked by itself
        return frozenset()
    return frozenset(rule.id for rule in known.rules)


def _hold(invocation: Invocation, dialogue: Interview, language: Language) -> None:
    """Ask until there is no question left.

    Raises:
        DataError: if the answers end before the questions do.
    """
    while (question := dialogue.question) is not None:
        invocation.log.print(f"[bold]{escape(question.text.in_language(language))}[/]")
        hint = Text(zh="例如", en="such as").in_language(language)
        invocation.log.print(f"  [dim]{hint} {escape(question.example)}[/]\n> ", end="")
        said = _listen(question)
        if said in HELP:
            invocation.log.print(escape(_known(dialogue, question)))
        elif said in BACK:
            dialogue.back()
        elif (complaint := dialogue.answer(said)) is not None:
            invocation.log.print(f"[yellow]{escape(complaint)}[/]")


def _listen(question: Question) -> str:
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as exc:
        message = (
            f"The answer to {question.key!r} is no UTF-8 text: {exc}. Nothing was written; set the terminal to UTF-8."
        )
        raise DataError(message) from exc
    if not line:
        message = f"The answers ended before the question {question.key!r}. Nothing was written; begin again."
        raise DataError(message)
    return line.strip()


def _known(dialogue: Interview, question: Question) -> str:
    if question.key.endswith(("source", "sign")):
        return "\n".join(f"  {sign.id}  {sign.title} [{sign.unit}]" for sign in dialogue.signs)
    if question.key == "do":
        return "\n".join(f"  {procedure.id}  {procedure.title}" for procedure in dialogue.procedures.values())
    return f"  {question.example}"


def _save(pack: Pack, written: Written, to: Path | None) -> Path:
    """Write the rule; a name that is taken gets a number, so that an hour's answers are never lost."""
    if to is not None:
        write_text(to, written.text)
        return to
    pack.rules.mkdir(exist_ok=True)
    last = written.rule.rpartition(".")[2] or written.rule
    numbered = (pack.rules / f"{last}_{count}.yaml" for count in itertools.count(2))
    path = next(path for path in itertools.chain([pack.rules / f"{last}.yaml"], numbered) if not path.exists())
    described = (pack.folder / ".schema" / RULE_SCHEMA).is_file()
    write_text(path, with_modeline(written.text, f"../.schema/{RULE_SCHEMA}") if described else written.text)
    return path


def _tell(invocation: Invocation, language: Language, path: Path, written: Written) -> None:
    level, probability = written.level, written.probability
    if level is None:
        told = Text(
            zh=f"注意：就算样样都异常，概率也只有 {probability:.1%}，达不到最低一级：这条经验规则自己不会预警。",
            en=f"Mind: with everything out of order the probability is {probability:.1%}, under the lowest level: "
            "by itself this rule never warns.",
        )
    else:
        told = Text(
            zh=f"样样都异常时概率为 {probability:.1%}，达到{LEVELS_ZH[level]}；平时为 {written.usual:.2%}。",
            en=f"With everything out of order the probability is {probability:.1%}: {level}. "
            f"While nothing is known it is {written.usual:.2%}.",
        )
    invocation.show(told.in_language(language))
    saved = Text(
        zh=f"已写入 {path}，检查和自带测试都通过。", en=f"Written: {path}. It passes the check and its own tests."
    )
    invocation.out.print(escape(saved.in_language(language)), soft_wrap=True)
