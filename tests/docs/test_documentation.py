"""The documentation against the code: every command and setting is documented, every link leads somewhere."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cityforge.main import COMMANDS, Entry
from cityforge.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(table: Mapping[str, Entry], prefix: str = "") -> Iterator[str]:
    for name, entry in table.items():
        if entry.commands:
            yield from commands(entry.commands, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def shown_lines(text: str) -> Iterator[str]:
    """Lines of code blocks, fenced or indented."""
    fenced = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in fenced:
        yield from (line.strip() for line in block.splitlines())
    yield from (line.strip() for line in text.splitlines() if line.startswith("    "))


@pytest.mark.parametrize("command", sorted(commands(COMMANDS)))
def test_every_command_is_documented(command: str):
    assert f"cityforge {command}" in (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_documented(setting: str):
    assert f"`{setting}`" in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shown_commands_exist(page: Path):
    known = set(commands(COMMANDS)) | {name for name, entry in COMMANDS.items() if entry.commands}
    unknown = []
    for line in shown_lines(page.read_text()):
        if match := re.match(r"(?:\$ )?make ([a-z-]+)", line):
            unknown += [line] if match[1] not in MAKE_TARGETS else []
        elif match := re.match(r"(?:\$ )?cityforge ([a-z-]+)(?: ([a-z]+))?", line):
            unknown += [line] if not {match[1], f"{match[1]} {match[2]}"} & known else []
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []
