"""Declarations of detectors that were trained elsewhere: a TOML file beside an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from contracts import IDENTIFIER
from models.vision import ChannelOrder, DetectorSpec, Head
from registry import Registry
from training import TrainingResult

from .forms import read_pictures
from .production import Progress, import_detector
from .recipe import GatesSection, PicturesSection, Section, load_section


class DetectorSection(Section):
    """How a network's input is made and its output is read; see :class:`models.vision.DetectorSpec`."""

    family: str = Field(min_length=1, max_length=64)
    size_px: int = Field(ge=32, le=4096, multiple_of=32)
    head: Head
    labels: tuple[str, ...] | None = None
    channel_order: ChannelOrder = ChannelOrder.RGB
    scale: float = Field(default=1 / 255, gt=0)
    centred: bool = True
    iou_threshold: float = Field(default=0.7, gt=0, le=1)


class ImportDeclaration(Section):
    """What is imported, and what it is judged on.

    Attributes:
        name: to register it under.
        task: always ``detect``.
        network: its ONNX file, relative to the declaration.
        data: labelled pictures with a validation split.
        detector: how it is read; labels of the data where none are given.
        gates: what it must reach.
        folder: where the declaration lies.
    """

    name: str = Field(pattern=IDENTIFIER)
    task: Literal["detect"] = "detect"
    network: Path
    data: PicturesSection
    detector: DetectorSection
    gates: GatesSection = GatesSection()
    folder: Path = Field(default=Path(), exclude=True)


def load_declaration(path: Path) -> ImportDeclaration:
    """Read a declaration and check it whole.

    Raises:
        ConfigurationError: listing every mistake.
    """
    return load_section(ImportDeclaration, path, f"The declaration {path}")


def import_declared(
    declaration: ImportDeclaration, registry: Registry, *, progress: Progress | None = None
) -> TrainingResult:
    """Register a declared network, judged on labelled pictures like our own.

    Raises:
        ArtefactError: if the file is no ONNX graph.
        ModelError: if it does not fit its declaration.
        ConfigurationError: if the pictures cannot be used.
    """
    pictures = declaration.folder / declaration.data.folder
    given: dict[str, Any] = declaration.detector.model_dump()
    labels = given.pop("labels") or declaration.data.labels or read_pictures(pictures, declaration.data.form).labels
    return import_detector(
        declaration.name,
        DetectorSpec(labels=labels, **given),
        declaration.folder / declaration.network,
        pictures,
        registry,
        gates=declaration.gates,
        progress=progress,
    )
