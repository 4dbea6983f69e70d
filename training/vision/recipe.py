"""Recipes of vision tasks: what a network is trained on, how it is fitted and what it must reach."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts import IDENTIFIER, ConfigurationError, Problem

from .dataset import Form

_Section = TypeVar("_Section", bound="Section")


class Section(BaseModel):
    """Base of all sections: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PicturesSection(Section):
    """Which pictures.

    Attributes:
        folder: of the data set; relative to the recipe.
        form: how labels are written; found out where it is left out.
        labels: class names in order; those of the data where they are left out.
        leave_out: leave broken pictures out instead of refusing the set.
        split_again: put one scene's pictures into one split instead of refusing the set.
    """

    folder: Path
    form: Form | None = None
    labels: tuple[str, ...] | None = None
    leave_out: bool = False
    split_again: bool = False


class NetworkSection(Section):
    """Which network.

    Attributes:
        architecture: a network that ultralytics knows.
        weights: file to start from, relative to the recipe, or a name that ultralytics publishes, such as
            ``yolo11n.pt``; empty starts from scratch.
        size_px: side of the square that it takes.
    """

    architecture: str = Field(default="yolo11n", pattern=r"^[a-z0-9_-]{1,32}$")
    weights: str = ""
    size_px: int = Field(default=320, ge=32, le=2048, multiple_of=32)


class ConditionsSection(Section):
    """How often a training picture is turned into another condition."""

    night: float = Field(default=0, ge=0, le=1)
    rain: float = Field(default=0, ge=0, le=1)
    blur: float = Field(default=0, ge=0, le=1)


class FittingSection(Section):
    """How it is fitted.

    Attributes:
        epochs: at most; fewer where the time budget says so.
        time_budget_s: seconds that fitting may take, over all attempts; the learning rate falls to its end within
            them. 0 for no limit. The default leaves three of ten minutes to everything else.
        patience: epochs without a better validation before it stops.
        batch: pictures a step.
        learning_rate: of AdamW at the start.
        seed: of every random choice.
        mosaic: share of training pictures put together from four.
    """

    epochs: int = Field(default=100, ge=1, le=10_000)
    time_budget_s: float = Field(default=420, ge=0)
    patience: int = Field(default=30, ge=1)
    batch: int = Field(default=16, ge=1, le=1024)
    learning_rate: float = Field(default=1e-3, gt=0)
    seed: int = 0
    mosaic: float = Field(default=1.0, ge=0, le=1)


class GatesSection(Section):
    """What a version must reach before it may be promoted.

    Attributes:
        map50: least mean average precision at an overlap of .50 on validation; of a segmenter's masks.
        slice_drop: greatest relative fall of map50 in a condition below the plain pictures of the same split.
        parity: greatest relative difference between torch and the exported network.
        latency_p95_ms: of one picture from pixels to boxes.
    """

    map50: float = Field(default=0.3, ge=0, le=1)
    slice_drop: float = Field(default=0.3, ge=0, le=1)
    parity: float = Field(default=1e-3, gt=0)
    latency_p95_ms: float = Field(default=100, gt=0)


class ClassifyGatesSection(Section):
    """What a classifier's version must reach before it may be promoted.

    Attributes:
        top1: least share of validation pictures whose best class is the labelled one.
        slice_drop: greatest relative fall of that share in a condition below the plain pictures of the same split.
        parity: greatest relative difference between torch and the exported network.
        latency_p95_ms: of one picture from pixels to scores.
    """

    top1: float = Field(default=0.6, ge=0, le=1)
    slice_drop: float = Field(default=0.3, ge=0, le=1)
    parity: float = Field(default=1e-3, gt=0)
    latency_p95_ms: float = Field(default=100, gt=0)


class VisionRecipe(Section):
    """What recipes of all vision tasks share.

    Attributes:
        name: registered name of the model.
        task: what the network answers.
        title: for people.
        folder: where the recipe lies.
    """

    name: str = Field(pattern=IDENTIFIER)
    task: Literal["detect", "segment", "classify"]
    title: str = ""
    data: PicturesSection
    model: NetworkSection = NetworkSection()
    conditions: ConditionsSection = ConditionsSection()
    fitting: FittingSection = FittingSection()
    folder: Path = Field(default=Path(), exclude=True)

    @property
    def pictures(self) -> Path:
        """The folder of the data set."""
        return self.folder / self.data.folder

    @property
    def weights(self) -> str | None:
        """The file to start from, or a published name where there is no such file; None to start from scratch."""
        if not self.model.weights:
            return None
        file = self.folder / self.model.weights
        return str(file.resolve()) if file.is_file() else self.model.weights

    @property
    def fingerprint(self) -> str:
        """The sha256 of everything the recipe says, and of the weights it starts from."""
        digest = hashlib.sha256(self.model_dump_json().encode())
        if self.weights is not None and Path(self.weights).is_file():
            digest.update(Path(self.weights).read_bytes())
        return digest.hexdigest()


class DetectRecipe(VisionRecipe):
    """A detector: boxes of things."""

    task: Literal["detect"]
    gates: GatesSection = GatesSection()


class SegmentRecipe(VisionRecipe):
    """A segmenter: boxes of things, each with a mask of the thing in it."""

    task: Literal["segment"]
    gates: GatesSection = GatesSection()


class ClassifyRecipe(VisionRecipe):
    """A classifier: one class a picture."""

    task: Literal["classify"]
    gates: ClassifyGatesSection = ClassifyGatesSection()


AnyRecipe = DetectRecipe | SegmentRecipe | ClassifyRecipe
_KINDS: dict[str, type[DetectRecipe] | type[SegmentRecipe] | type[ClassifyRecipe]] = {
    "detect": DetectRecipe,
    "segment": SegmentRecipe,
    "classify": ClassifyRecipe,
}


def load_vision_recipe(path: Path) -> AnyRecipe:
    """Read a recipe of any vision task and check it whole.

    Raises:
        ConfigurationError: listing every mistake.
    """
    title = f"The recipe {path}"
    task = _read(path, title).get("task")
    if task not in _KINDS:
        remedy = f"Use one of {sorted(_KINDS)}, or 'forecast'."
        raise ConfigurationError(title, [Problem("task", f"{task!r} is not supported.", remedy)])
    return load_section(_KINDS[task], path, title)


def load_detect_recipe(path: Path) -> DetectRecipe:
    """Read a detector's recipe and check it whole.

    Raises:
        ConfigurationError: listing every mistake.
    """
    return load_section(DetectRecipe, path, f"The recipe {path}")


def load_section(kind: type[_Section], path: Path, title: str) -> _Section:
    """Read a TOML file as a section that knows its ``folder``, and check it whole.

    Raises:
        ConfigurationError: listing every mistake.
    """
    try:
        return kind.model_validate({**_read(path, title), "folder": path.parent})
    except ValidationError as exc:
        problems = [
            Problem(".".join(str(part) for part in error["loc"]), f"{error['msg']}, given {error['input']!r:.80}.")
            for error in exc.errors(include_url=False)
        ]
        raise ConfigurationError(title, problems) from exc


def _read(path: Path, title: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigurationError(title, [Problem(path.name, f"cannot be read: {exc}.")]) from exc
