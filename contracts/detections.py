"""Detections: what a detector says it sees in one picture, in pixels of that picture."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Detection(BaseModel):
    """One thing that was seen.

    Attributes:
        label: name of its class.
        score: how sure the detector is; comparable within one model, no probability of a risk.
        box_xyxy_px: left, top, right, bottom in pixels of the picture as it is shown (EXIF rotation applied).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=128)
    score: float = Field(ge=0, le=1)
    box_xyxy_px: tuple[float, float, float, float]
