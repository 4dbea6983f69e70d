"""Cameras as data: ``cameras.toml`` of a pack says where they are, what looks at them and what they measure."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts import IDENTIFIER, ConfigurationError, Pack, Problem, Sign, UtcTime, load_pack, validation_problems
from early_warning import ScoreRatios

from .geometry import Ground

CAMERAS_FILE = "cameras.toml"
_SMALLEST_POLYGON = 3

Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]


class _Section(BaseModel):
    """Base of all sections: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MotionSettings(_Section):
    """When a frame is looked at: once this share of the picture has moved, and at least so often."""

    share: float = Field(default=0.002, ge=0, le=1)
    every_s: float = Field(default=10.0, gt=0)


class TrackSettings(_Section):
    """How things are followed.

    Attributes:
        lost_s: how long a thing may be hidden before it counts as gone.
        confirm: looks in which it must be seen before it counts.
    """

    lost_s: float = Field(default=2.0, gt=0)
    confirm: int = Field(default=2, ge=1, le=100)


class GroundSettings(_Section):
    """The ground plane: four or more points of the picture and where they lie on the ground in metres."""

    points: tuple[Point, ...] = Field(min_length=4)
    metres: tuple[tuple[float, float], ...] = Field(min_length=4)

    @model_validator(mode="after")
    def _check_plane(self) -> Self:
        Ground(self.points, self.metres)
        return self


class ZoneSettings(_Section):
    """A part of the ground: corners in shares of the picture's width and height."""

    id: str = Field(pattern=IDENTIFIER)
    polygon: tuple[Point, ...] = Field(min_length=_SMALLEST_POLYGON)


class LineSettings(_Section):
    """A line that things cross: ``in`` is from its left to its right, looking from start to end."""

    id: str = Field(pattern=IDENTIFIER)
    start: Point
    end: Point


class PresenceSettings(_Section):
    """How a thing comes and goes: mean time between comings, mean time it stays, when frames tell anew."""

    every_s: float = Field(gt=0)
    lasts_s: float = Field(gt=0)
    independent_s: float = Field(default=10.0, ge=0)
    forget_s: float = Field(default=600.0, gt=0)


class MeasureSettings(_Section):
    """One sign that a camera measures.

    Attributes:
        sign: its id in the pack's signs; its interval is how often a reading is made.
        measure: ``count`` (mean number in the zone), ``density`` (mean number per m²), ``queue_length`` (m from the
            first to the last standing thing), ``dwell`` (mean seconds in the zone of those who left it), ``crossings``
            (over a line), ``blocked`` (minutes that the zone has been occupied without a break), ``evidence``
            (natural logarithm of the likelihood ratio that the thing is there).
        labels: what counts; every label of the detector where it is left out.
        zone: where it counts; the whole picture where it is left out.
        line: for crossings.
        direction: of crossings that count.
        gone_s: for ``blocked``: how long the zone must be free before it counts as free.
        still_m_s: for ``queue_length``: what moves slower stands.
        ratios: for ``evidence``: file of likelihood ratios, relative to the pack.
        presence: for ``evidence``: how the thing comes and goes.
    """

    sign: str = Field(pattern=IDENTIFIER)
    measure: Literal["count", "density", "queue_length", "dwell", "crossings", "blocked", "evidence"]
    labels: tuple[str, ...] = ()
    zone: str | None = None
    line: str | None = None
    direction: Literal["in", "out", "both"] = "both"
    gone_s: float = Field(default=10.0, ge=0)
    still_m_s: float = Field(default=0.5, gt=0)
    ratios: Path | None = None
    presence: PresenceSettings | None = None


class KeepSettings(_Section):
    """Which frames are kept, always blurred; without this section none is.

    Attributes:
        every_s: at most one frame in so many seconds.
        days: after which it is deleted.
        vehicles: labels of the camera's detector that bear plates; write ``[]`` only where no vehicle is ever seen.
    """

    every_s: float = Field(gt=0)
    days: float = Field(gt=0, le=3650)
    vehicles: tuple[str, ...]


class CameraSettings(_Section):
    """One camera.

    Attributes:
        id: its name; the source of its signs in the catalogue.
        url: stream (rtsp, http, tcp), video file or folder of pictures; files are relative to the pack.
        url_variable: environment variable that holds the url instead, where it has a password in it.
        model: registered name of the detector that looks.
        fps: frames a second that are due.
        width_px: frames are scaled down to this width before they are looked at.
        threshold: boxes with a lower score are not followed or counted.
        pace: ``real`` reads files as a camera would deliver them, ``fast`` as fast as they are looked at.
        repeat: begin a file again at its end.
        starts: event time of a file's first frame; now where it is left out.
    """

    id: str = Field(pattern=IDENTIFIER)
    url: str = ""
    url_variable: str | None = None
    model: str = Field(pattern=IDENTIFIER)
    fps: float = Field(default=5.0, gt=0, le=60)
    width_px: int = Field(default=320, ge=32, le=4096)
    threshold: float = Field(default=0.3, gt=0, lt=1)
    pace: Literal["real", "fast"] = "real"
    repeat: bool = False
    starts: UtcTime | None = None
    motion: MotionSettings | None = MotionSettings()
    track: TrackSettings = TrackSettings()
    ground: GroundSettings | None = None
    zone: tuple[ZoneSettings, ...] = ()
    line: tuple[LineSettings, ...] = ()
    sign: tuple[MeasureSettings, ...] = Field(min_length=1)
    keep: KeepSettings | None = None
    folder: Path = Field(default=Path(), exclude=True)

    def address(self) -> str:
        """Return what to open: the variable's value where one is named, files relative to the pack.

        Raises:
            ConfigurationError: if the variable is not set.
        """
        url = self.url
        if self.url_variable is not None:
            url = os.environ.get(self.url_variable, "")
            if not url:
                problem = Problem(f"{self.id}.url_variable", f"{self.url_variable} is not set.", "Set it to the url.")
                raise ConfigurationError("The camera", [problem])  # noqa: EM101
        return url if "://" in url else str(self.folder / url)

    def zone_of(self, measure: MeasureSettings) -> tuple[Point, ...] | None:
        """Return the polygon that a measure counts in; None for the whole picture."""
        return next((zone.polygon for zone in self.zone if zone.id == measure.zone), None)


class _File(_Section):
    """The whole file."""

    camera: tuple[CameraSettings, ...] = Field(min_length=1)


def load_cameras(folder: Path) -> tuple[Pack, tuple[CameraSettings, ...]]:
    """Read the cameras of a pack and check them against its signs.

    Raises:
        ConfigurationError: listing every mistake.
    """
    pack, path = load_pack(folder), folder / CAMERAS_FILE
    title = f"The cameras {str(path)!r}"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        cameras = _File.model_validate(document).camera
    except ValidationError as exc:
        raise ConfigurationError(title, validation_problems(CAMERAS_FILE, exc)) from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        remedy = "Give a readable TOML file."
        raise ConfigurationError(title, [Problem(CAMERAS_FILE, f"cannot be read: {exc}.", remedy)]) from exc
    cameras = tuple(camera.model_copy(update={"folder": folder}) for camera in cameras)
    problems = [problem for camera in cameras for problem in _check_camera(camera, pack)]
    names = [camera.id for camera in cameras]
    problems += [
        Problem(name, "stands twice.", "Give each camera an id of its own.")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise ConfigurationError(title, problems)
    return pack, cameras


def load_ratios(camera: CameraSettings, measure: MeasureSettings) -> ScoreRatios:
    """Read the likelihood ratios of an evidence measure.

    Raises:
        ConfigurationError: if the file cannot be used.
    """
    path = camera.folder / (measure.ratios or "")
    try:
        return ScoreRatios.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as exc:
        problem = Problem(str(path), f"holds no likelihood ratios: {exc}.", "Fit them with `cityforge ratios`.")
        raise ConfigurationError(f"The sign {measure.sign!r}", [problem]) from exc  # noqa: EM102


_UNITS = {
    "count": ("1",),
    "density": ("1/m2", "1/m²"),
    "queue_length": ("m",),
    "dwell": ("s",),
    "crossings": ("1",),
    "blocked": ("min",),
    "evidence": ("nat",),
}


def _check_camera(camera: CameraSettings, pack: Pack) -> list[Problem]:
    problems = []
    if bool(camera.url) == (camera.url_variable is not None):
        problems.append(Problem(f"{camera.id}.url", "is missing or given twice.", "Give url or url_variable."))
    for measure in camera.sign:
        where = f"{camera.id}: {measure.sign}"
        if measure.sign not in pack.signs:
            problems.append(Problem(where, "is no sign of the pack.", "Add it to signs.csv."))
        else:
            problems += _check_sign(where, camera, measure, pack.signs[measure.sign])
        problems += _check_measure(where, camera, measure)
    return problems


def _check_sign(where: str, camera: CameraSettings, measure: MeasureSettings, sign: Sign) -> list[Problem]:
    problems = []
    if sign.source != camera.id:
        remedy = f"Make it {camera.id!r}: what one camera says counts once."
        problems.append(Problem(where, f"has the source {sign.source!r}.", remedy))
    units = _UNITS[measure.measure]
    if sign.unit not in units:
        problems.append(Problem(where, f"has the unit {sign.unit!r}.", f"{measure.measure} is in {units[0]!r}."))
    return problems


def _check_measure(where: str, camera: CameraSettings, measure: MeasureSettings) -> list[Problem]:
    problems = []
    zones, lines = {zone.id for zone in camera.zone}, {line.id for line in camera.line}
    kind = measure.measure
    if measure.zone is not None and measure.zone not in zones:
        problems.append(Problem(where, f"names the zone {measure.zone!r}.", f"Zones: {sorted(zones)}."))
    if kind == "crossings" and measure.line not in lines:
        problems.append(Problem(where, f"names the line {measure.line!r}.", f"Lines: {sorted(lines)}."))
    if kind in ("density", "queue_length") and (camera.ground is None or measure.zone is None):
        problems.append(Problem(where, "needs a zone and the ground plane.", "Add [camera.ground] and a zone."))
    if kind in ("dwell", "blocked") and measure.zone is None:
        problems.append(Problem(where, "needs a zone.", "Name one."))
    if kind == "evidence" and (measure.ratios is None or measure.presence is None):
        problems.append(Problem(where, "needs ratios and presence.", "Fit them with `cityforge ratios`."))
    return problems
