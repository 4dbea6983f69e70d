"""One run of one command: its settings, what it prints, and how its failures end.

Results go to stdout, progress and errors to stderr. With ``--json`` stdout holds exactly one JSON object,
whether the command succeeds or fails.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from contracts import ConfigurationError, FactoryError, Problem

from .extras import missing_extra
from .settings import Settings, load_settings
from .workspace import Workspace


class ExitCode(IntEnum):
    """How a command ends; scripts may rely on it."""

    DONE = 0
    FAILED = 1
    MISUSED = 2
    REFUSED = 3
    INTERRUPTED = 130


class RefusedError(FactoryError):
    """The command ran to its end and its answer is no: a gate, a test or a check did not pass."""


class Invocation:
    """What a command is given.

    Args:
        json_output: print one JSON object instead of tables.
        config: path of ``cityforge.toml``; None to search for it.
    """

    def __init__(self, *, json_output: bool = False, config: Path | None = None) -> None:
        self.json_output = json_output
        self._config = config
        self._has_answered = False
        self.out = Console(quiet=json_output, highlight=False)
        self.log = Console(stderr=True, highlight=False)

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when first asked for."""
        return load_settings(self._config)

    def workspace(self, settings: Settings | None = None) -> Workspace:
        """Return the workspace of these settings, or of the invocation's; use it in a ``with`` block."""
        return Workspace(self.settings if settings is None else settings)

    def show(self, renderable: RenderableType) -> None:
        """Print a table or text for people; nothing with ``--json``."""
        self.out.print(renderable)

    def note(self, text: str) -> None:
        """Print one line of progress to stderr; nothing with ``--json``."""
        if not self.json_output:
            self.log.print(text)

    def result(self, data: Mapping[str, Any]) -> None:
        """Print the result as one JSON object with ``--json``; call it once, at the end."""
        if self.json_output:
            print_json(data)
            self._has_answered = True

    def fail(self, exc: BaseException) -> None:
        """Report an error on stderr, and with ``--json`` on stdout, unless a result stands there already."""
        if self.json_output and not self._has_answered:
            print_json({"error": {"type": type(exc).__name__, "message": str(exc), "problems": _problems(exc)}})
        self.log.print(f"[bold red]{type(exc).__name__}[/]", end=" ")
        self.log.print(str(exc), markup=False, soft_wrap=True)

    def progress(self) -> Progress:
        """Return a progress display on stderr; silent with ``--json`` or where stderr is no terminal."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        quiet = self.json_output or not self.log.is_terminal
        return Progress(*columns, TimeElapsedColumn(), console=self.log, disable=quiet)


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of stdout; missing numbers are null."""
    plain = to_jsonable_python(data, inf_nan_mode="constants", fallback=str)
    sys.stdout.write(json.dumps(_without_nan(plain), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--json``, ``--config`` and ``--debug``, and end its errors well.

    Args:
        function: takes an :class:`Invocation` first, then its own arguments as typer declares them.
    """

    @functools.wraps(function)
    def command(*, json_output: bool, config: Path | None, debug: bool, **values: Any) -> None:
        invocation = Invocation(json_output=json_output, config=config)
        try:
            function(invocation, **values)
        except (FactoryError, OSError, KeyboardInterrupt) as exc:
            _end(invocation, exc, debug=debug)
        except ModuleNotFoundError as exc:
            _end(invocation, missing_extra(exc), debug=debug)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters.extend(inspect.signature(_shared_options, eval_str=True).parameters.values())
    signature = inspect.Signature(parameters)
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return command


def _end(invocation: Invocation, exc: BaseException, *, debug: bool) -> NoReturn:
    if debug:
        invocation.log.print_exception()
    raise typer.Exit(end_badly(invocation, exc)) from exc


def end_badly(invocation: Invocation, exc: BaseException) -> ExitCode:
    """Report an error and return the exit code it means."""
    if isinstance(exc, KeyboardInterrupt):
        invocation.note("Interrupted.")
        return ExitCode.INTERRUPTED
    invocation.fail(exc)
    if isinstance(exc, ConfigurationError):
        return ExitCode.MISUSED
    return ExitCode.REFUSED if isinstance(exc, RefusedError) else ExitCode.FAILED


def _shared_options(
    *,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel="Shared")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Path of cityforge.toml; else searched upward.", rich_help_panel="Shared"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback.", rich_help_panel="Shared")] = False,
) -> None:
    """Declare the options that every command has."""


def _problems(exc: BaseException) -> list[dict[str, str]]:
    problems: list[Problem] = list(exc.problems) if isinstance(exc, ConfigurationError) else []
    return [{"where": one.where, "message": one.message, "remedy": one.remedy} for one in problems]


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124 - NaN
        return None
    return value
