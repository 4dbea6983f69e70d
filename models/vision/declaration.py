"""What is declared of a network that finds boxes: what goes in, what comes out, how its head is read."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts import Axis, AxisName, DType, Signature, TensorSpec

SIGNATURE_KEY = "cityforge.signature"
DETECTOR_KEY = "cityforge.detector"
FAMILY_KEY = "cityforge.family"

SIGNATURE = Signature(
    inputs=(
        TensorSpec(
            name="image",
            axes=(Axis(name=AxisName.HEIGHT), Axis(name=AxisName.WIDTH), Axis(name=AxisName.CHANNEL, size=3)),
            dtype=DType.UINT8,
            unit="RGB",
        ),
    ),
    outputs=(
        TensorSpec(
            name="boxes",
            axes=(Axis(name=AxisName.BOX), Axis(name=AxisName.COORDINATE, size=4)),
            unit="px",
        ),
        TensorSpec(name="scores", axes=(Axis(name=AxisName.BOX),)),
        TensorSpec(name="classes", axes=(Axis(name=AxisName.BOX),), dtype=DType.INT64),
    ),
)
"""Boxes are left, top, right, bottom in pixels of the picture; best score first."""


class Head(StrEnum):
    """How a network writes what it sees."""

    ULTRALYTICS = "ultralytics"
    """(batch, 4 + class, anchor): centre, width, height in input pixels, then class probabilities."""
    YOLOX = "yolox"
    """(batch, anchor, 5 + class): offsets and log sizes in cells, objectness, class probabilities
    (Ge et al. 2021, arXiv:2107.08430)."""


class ChannelOrder(StrEnum):
    """Which colour comes first in the core's input."""

    RGB = "rgb"
    BGR = "bgr"


class DetectorSpec(BaseModel):
    """All that surrounds a network: enough to write ``pre`` and ``post``.

    Attributes:
        family: name of the network, such as ``yolo11n``.
        labels: class names in order.
        size_px: side of the square that the core takes.
        head: how the core's output is read.
        channel_order: which colour comes first.
        scale: factor on 0..255.
        centred: whether padding goes to both sides, or to right and bottom alone.
        score_floor: boxes below are dropped; low, so that an application chooses its own threshold above it.
        iou_threshold: overlap within one class above which the weaker box is dropped.
        maximum_boxes: the best of each picture that are kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str = Field(min_length=1, max_length=64)
    labels: tuple[str, ...] = Field(min_length=1)
    size_px: int = Field(ge=32, le=4096)
    head: Head
    channel_order: ChannelOrder = ChannelOrder.RGB
    scale: float = Field(default=1 / 255, gt=0)
    centred: bool = True
    score_floor: float = Field(default=0.001, gt=0, lt=1)
    iou_threshold: float = Field(default=0.7, gt=0, le=1)
    maximum_boxes: int = Field(default=300, ge=1, le=10_000)

    @field_validator("size_px")
    @classmethod
    def _whole_cells(cls, size_px: int) -> int:
        if size_px % 32:
            message = f"size_px must be a multiple of 32, the coarsest stride, was {size_px}"
            raise ValueError(message)
        return size_px
