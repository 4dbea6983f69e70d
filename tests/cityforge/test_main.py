"""The front door: quick help, clean errors, one JSON object."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import cityforge as room
from cityforge.extras import missing_extra
from cityforge.invocation import Invocation, with_shared_options
from cityforge.main import COMMANDS, Entry
from cityforge.processes import ROOT
from contracts import ConfigurationError, DataError, Problem

from .conftest import Command

RECIPE = str(ROOT / "scenarios/construction/water_main/recipes/ridge.toml")
HEAVY = ("numpy", "mlflow", "torch", "bentoml", "onnxruntime", "sqlalchemy", "pydantic")


def every_command() -> list[tuple[str, str]]:
    def walk(table: dict[str, Entry], above: str) -> list[tuple[str, str]]:
        found = []
        for name, entry in table.items():
            below = f"{above} {name}".strip()
            found += walk(dict(entry.commands), below) if entry.commands else [(below, entry.target)]
        return found

    return walk(COMMANDS, "")


def test_the_help_loads_nothing_heavy() -> None:
    source = (
        "import sys\nfrom cityforge.main import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("loaded: []\n")
    for name, _ in every_command():
        assert name.split()[0] in done.stdout


@pytest.mark.parametrize(("name", "target"), every_command())
def test_every_command_explains_itself(cityforge: Command, name: str, target: str) -> None:
    outcome = cityforge(*name.split(), "--help")
    assert outcome.code == 0
    for words in ("--json", "--config", "--debug", f"cityforge {name}"):
        assert words in outcome.out, f"{name} lacks {words}"


def test_an_unknown_command_ends_with_two(cityforge: Command) -> None:
    outcome = cityforge("trian")
    assert outcome.code == 2
    assert "train" in outcome.err


def test_an_unknown_option_ends_with_two(cityforge: Command, project: Path) -> None:
    assert cityforge("models", "--prettily").code == 2


def test_the_version_is_that_of_the_distribution(cityforge: Command) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert room.__version__ == declared
    assert cityforge("--version").out.strip() == declared
    assert cityforge("version", "--json").data == {"version": declared}


def test_wrong_settings_end_with_two_and_list_everything(cityforge: Command, project: Path) -> None:
    (project / "cityforge.toml").write_text('prot = 1\nworkers = "many"\n')
    outcome = cityforge("models", "--json")
    assert outcome.code == 2
    assert len(outcome.data["error"]["problems"]) == 2
    assert "Did you mean 'port'?" in outcome.err


def test_a_failure_is_one_line_and_with_debug_a_traceback(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(invocation: Invocation) -> None:
        message = "the well is [dry]"
        raise DataError(message)

    command = typer.main.get_command(application(fail))
    for debug in (False, True):
        with pytest.raises(SystemExit, match="1"):
            command(args=["--debug"] if debug else [])
        err = capfd.readouterr().err
        assert "DataError the well is [dry]" in err
        assert ("Traceback" in err) is debug


def test_with_json_a_failure_is_one_object(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(invocation: Invocation) -> None:
        title = "The plan"
        raise ConfigurationError(title, [Problem("line 3", "is wrong.", "Mend it.")])

    with pytest.raises(SystemExit, match="2"):
        typer.main.get_command(application(fail))(args=["--json"])
    assert capfd.readouterr().out == (
        '{"error": {"type": "ConfigurationError", '
        '"message": "The plan has 1 problem:\\n  - line 3: is wrong. Mend it.", '
        '"problems": [{"where": "line 3", "message": "is wrong.", "remedy": "Mend it."}]}}\n'
    )


def test_an_interruption_ends_with_130(capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt(invocation: Invocation) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="130"):
        typer.main.get_command(application(interrupt))(args=[])
    assert "Interrupted." in capfd.readouterr().err


def test_a_number_that_is_none_becomes_null(capfd: pytest.CaptureFixture[str]) -> None:
    def answer(invocation: Invocation) -> None:
        invocation.result({"mae": float("nan"), "worst": [float("inf"), 1.5]})

    typer.main.get_command(application(answer))(args=["--json"], standalone_mode=False)
    assert capfd.readouterr().out == '{"mae": null, "worst": [null, 1.5]}\n'


def application(function: object) -> typer.Typer:
    app = typer.Typer(add_completion=False)
    app.command("trial")(with_shared_options(function))  # type: ignore[arg-type]
    return app


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as on an installation that lacks a package."""
    source = f"import sys; sys.modules[{module!r}] = None; from cityforge.main import run; run(sys.argv[1:])"
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("train", RECIPE), ("replay", "construction.water_main"), ("demo",)])
def test_a_package_of_an_extra_that_is_missing_is_named_with_its_extra(arguments: tuple[str, ...]) -> None:
    done = run_without("torch", *arguments)
    assert done.returncode == 1, done.stderr
    assert "package 'torch', which is not installed" in done.stderr
    assert "pip install 'cityforge[training]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_no_extra_brings_is_a_defect() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_ours"):
        missing_extra(ModuleNotFoundError("No module named 'no_such_module_of_ours'", name="no_such_module_of_ours"))
