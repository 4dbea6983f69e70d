"""Recipes: a TOML file that says what to train, on what, how it is judged and where it must run."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts import IDENTIFIER, CalendarSpec, ConfigurationError, ForecastSpec, Problem, QuantileLevels, UtcTime
from models.forecasting import option_problems

from .auto import AUTO, search_problems
from .sources import DataSection


class Section(BaseModel):
    """Base of all sections: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Window(Section):
    """A stretch of event time.

    Attributes:
        start: first instant that belongs to it.
        end: first instant after it.
    """

    start: UtcTime
    end: UtcTime

    @model_validator(mode="after")
    def _check_order(self) -> Window:
        if self.start >= self.end:
            message = f"start {self.start.isoformat()} must lie before end {self.end.isoformat()}"
            raise ValueError(message)
        return self


class Windows(Section):
    """The four windows: fit, choose, decide promotion, tell the world. They follow each other without overlap."""

    train: Window
    validation: Window
    gate: Window
    report: Window

    @model_validator(mode="after")
    def _check_sequence(self) -> Windows:
        ordered = (self.train, self.validation, self.gate, self.report)
        for earlier, later in itertools.pairwise(ordered):
            if earlier.end > later.start:
                message = (
                    f"a window ends {earlier.end.isoformat()}, after the next one starts {later.start.isoformat()}"
                )
                raise ValueError(message)
        return self


class ForecastSection(Section):
    """What is forecast; see :class:`contracts.ForecastSpec`."""

    context: int = Field(gt=0, le=100_000)
    horizon: int = Field(gt=0, le=10_000)
    quantiles: QuantileLevels = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    calendar: CalendarSpec | None = None
    minimum_observed: int = Field(default=1, ge=1)


class DisturbanceSection(Section):
    """Which hours are left out of fitting and of the judged error.

    Attributes:
        threshold: robust standard deviations from the train window's median that count as disturbed; None for no rule.
    """

    threshold: float | None = Field(default=None, gt=0)


class HierarchySection(Section):
    """The signs add up: totals over places are forecast too, and all forecasts are reconciled.

    Attributes:
        places: CSV of the place tree, as in a pack; relative paths are relative to the recipe.
        signs: CSV of the signs with their places, as in a pack; likewise.
    """

    places: Path = Path("../places.csv")
    signs: Path = Path("../signs.csv")


class CovariateFile(Section):
    """Covariates in a file.

    Attributes:
        path: the file; relative paths are relative to the recipe.
        names: its columns that the model takes, in this order.
    """

    path: Path
    names: tuple[str, ...] = Field(min_length=1)


class CovariateSection(Section):
    """What is known beside the readings.

    Attributes:
        known: known ahead of every step, such as planned closures: Parquet or CSV with a column ``time``, and one
            ``sign`` where signs differ.
        static: by sign, such as lanes of a road: CSV with a column ``sign``.
    """

    known: CovariateFile | None = None
    static: CovariateFile | None = None


class ModelSection(Section):
    """Which family, with which options."""

    family: str
    options: dict[str, Any] = Field(default_factory=dict)


class FittingSection(Section):
    """How a model is fitted; all but ``windows`` and ``seed`` is for gradient families.

    Attributes:
        windows: most windows that a closed form looks at, drawn evenly over signs and time where there are more.
        epochs: at most.
        steps_per_epoch: batches in an epoch.
        batch_size: windows in a batch.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW.
        patience: epochs without a better validation loss before it stops.
        seed: of every random choice.
    """

    windows: int = Field(default=500_000, ge=1)
    epochs: int = Field(default=30, ge=1)
    steps_per_epoch: int = Field(default=50, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    patience: int = Field(default=5, ge=1)
    seed: int = 0


class EvaluationSection(Section):
    """How much of the validation, gate and report windows is looked at.

    Attributes:
        targets: most readings that are forecast in one window; where there are more, origins are drawn evenly over
            signs and time, so that memory does not grow with the number of signs.
    """

    targets: int = Field(default=4_000_000, ge=1)


class GateSection(Section):
    """What a version must reach on the gate window before it may be promoted.

    Attributes:
        mae_ratio: its MAE over that of the better of last value and seasonal naive.
        season: steps of a season, for the seasonal naive baseline.
        coverage: least and greatest share of readings inside the 90 % interval.
        parity: greatest relative difference between torch and onnxruntime.
        latency_p95_ms: of one call.
    """

    mae_ratio: float = Field(default=1.0, gt=0)
    season: int = Field(default=24, ge=1)
    coverage: tuple[float, float] = (0.8, 0.98)
    parity: float = Field(default=1e-5, gt=0)
    latency_p95_ms: float = Field(default=20.0, gt=0)


class Recipe(Section):
    """One recipe, read and checked.

    Attributes:
        name: registered name of the model.
        title: for people.
        data: source of readings.
        windows: train, validation, gate, report.
        disturbance: hours left out of fitting.
        hierarchy: which signs add up over which places; None where none do.
        covariates: what is known beside the readings; None for nothing.
        forecast: context, horizon, quantiles, calendar.
        model: family and options.
        fitting: how it is fitted.
        evaluation: how much is looked at to choose and to judge.
        gates: what must be reached.
        folder: where the recipe lies; relative paths start there.
    """

    name: str = Field(pattern=IDENTIFIER)
    title: str = ""
    data: DataSection
    windows: Windows
    disturbance: DisturbanceSection = DisturbanceSection()
    hierarchy: HierarchySection | None = None
    covariates: CovariateSection | None = None
    forecast: ForecastSection
    model: ModelSection
    fitting: FittingSection = FittingSection()
    evaluation: EvaluationSection = EvaluationSection()
    gates: GateSection = GateSection()
    folder: Path = Field(default=Path(), exclude=True)

    @property
    def spec(self) -> ForecastSpec:
        """The forecast's spec, with interval and unit of the data and the names of the covariates."""
        beside = self.covariates or CovariateSection()
        return ForecastSpec(
            interval_s=self.data.interval_s,
            unit=self.data.unit,
            known=beside.known.names if beside.known else (),
            static=beside.static.names if beside.static else (),
            **self.forecast.model_dump(exclude_none=True),
        )

    @property
    def fingerprint(self) -> str:
        """The sha256 of all settings; where the file lies is none of them."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_recipe(path: Path) -> Recipe:
    """Read a recipe and check it whole.

    Raises:
        ConfigurationError: listing every mistake in the file.
    """
    title = f"The recipe {str(path)!r}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        problem = Problem(path.name, f"cannot be read: {exc}.", "Give a readable TOML file.")
        raise ConfigurationError(title, [problem]) from exc
    return parse_recipe(table, title, path.parent)


def parse_recipe(table: dict[str, Any], title: str, folder: Path) -> Recipe:
    """Check a recipe's table whole.

    Args:
        table: as read from TOML.
        title: what it is called in errors.
        folder: relative paths in it start there.

    Raises:
        ConfigurationError: listing every mistake.
    """
    problems: list[Problem] = []
    recipe: Recipe | None = None
    try:
        recipe = Recipe.model_validate({**table, "folder": folder})
    except ValidationError as exc:
        problems.extend(_problems(exc))
    problems.extend(_family_problems(table))
    if table.get("covariates") and table.get("hierarchy"):
        problems.append(Problem("[covariates]", "totals of a [hierarchy] have none.", "Leave out one of the two."))
    if recipe is not None:
        try:
            _ = recipe.spec
        except ValidationError as exc:
            problems.extend(_problems(exc, "forecast"))
    if problems or recipe is None:
        raise ConfigurationError(title, problems)
    return recipe


def _problems(exc: ValidationError, section: str = "") -> Iterator[Problem]:
    for error in exc.errors(include_url=False):
        where = ".".join(str(part) for part in ([section] if section else []) + list(error["loc"])) or "the whole"
        given = "" if error["type"] == "missing" else f", given {str(error['input'])[:80]!r}"
        yield Problem(where, f"{error['msg']}{given}.")


def _family_problems(table: dict[str, Any]) -> list[Problem]:
    section = table.get("model")
    if not isinstance(section, dict) or not isinstance(section.get("family"), str):
        return []  # the schema has said so
    options = section.get("options", {})
    if not isinstance(options, dict):
        return []
    return search_problems(options) if section["family"] == AUTO else option_problems(section["family"], options)
