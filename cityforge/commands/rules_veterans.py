"""``cityforge rules veterans``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict
from rich.table import Table

from cityforge.invocation import Invocation
from contracts import ConfigurationError, Problem, read_rows
from knowledge_graph.veterans import SeedAnswer, score_veterans


class _AnswerRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    veteran: str
    question: str
    low: float
    median: float
    high: float


class _TruthRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    truth: float


def veterans(
    invocation: Invocation,
    answers: Annotated[
        Path, typer.Argument(help="CSV: veteran, question, low, median, high (5, 50, 95 %).", show_default=False)
    ],
    truths: Annotated[Path, typer.Argument(help="CSV: question, truth.", show_default=False)],
    *,
    cutoff: Annotated[float, typer.Option(min=0, max=1, help="Calibration below which nobody has a say.")] = 0.05,
) -> None:
    """Score veterans by questions whose answers are known: Cooke's classical model.

    The calibration is the probability that somebody whose quantiles are right would miss as badly; the weight is the
    share of the say when several veterans answer the same question.

    [bold]Example[/bold]

        cityforge rules veterans answers.csv truths.csv
    """
    problems: list[Problem] = []
    told = read_rows(answers, _AnswerRow.model_validate, problems)
    known = read_rows(truths, _TruthRow.model_validate, problems)
    if problems:
        title = "The seed questions"
        raise ConfigurationError(title, problems)
    scores = score_veterans(
        [SeedAnswer(**row.model_dump()) for row in told], {row.question: row.truth for row in known}, cutoff=cutoff
    )
    table = Table("veteran", "questions", "calibration", "information", "weight", title="Veterans")
    for one in scores:
        numbers = (f"{one.calibration:.3g}", f"{one.information:.3g}", f"{one.weight:.1%}")
        table.add_row(one.veteran, str(one.questions), *numbers)
    invocation.show(table)
    if not any(one.weight for one in scores):
        invocation.show(f"Nobody's calibration reaches {cutoff:g}: no word is proven. Ask more, or other, questions.")
    invocation.result({"cutoff": cutoff, "veterans": [asdict(one) for one in scores]})
