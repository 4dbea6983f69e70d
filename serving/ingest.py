"""Readings on their way in: each is judged alone, the good ones are committed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts import Reading, Sign, SignCatalogue, format_utc, to_ms
from store import IngestReport

if TYPE_CHECKING:
    from .platform import Platform

MAXIMUM_READINGS = 100_000
_READINGS = TypeAdapter(list[Reading])


class ReadingBatch(BaseModel):
    """Readings, to be committed together.

    Attributes:
        readings: in any order.
    """

    model_config = ConfigDict(extra="forbid")

    readings: list[Reading] = Field(max_length=MAXIMUM_READINGS)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reading that was not taken.

    Attributes:
        index: its position in the request.
        sign: the sign it names, if it names one.
        reason: why.
    """

    index: int
    sign: str | None
    reason: str


@dataclass(slots=True)
class IngestAnswer:
    """What became of a request's readings.

    Attributes:
        report: of those that were committed; None if none could be.
        refused: those that were not taken.
    """

    report: IngestReport
    refused: list[Refusal] = field(default_factory=list)

    @property
    def status(self) -> HTTPStatus:
        """200 if all were taken, 207 if some, 422 if none."""
        if not self.refused:
            return HTTPStatus.OK
        taken = self.report.accepted + self.report.duplicates
        return HTTPStatus.MULTI_STATUS if taken else HTTPStatus.UNPROCESSABLE_ENTITY

    def document(self) -> dict[str, Any]:
        """Return the answer's body."""
        report = self.report
        return {
            "accepted": report.accepted,
            "duplicates": report.duplicates,
            "revisions": report.revisions,
            "last_sequence": report.last_sequence,
            "refused": [{"index": each.index, "sign": each.sign, "reason": each.reason} for each in self.refused],
        }


def ingest(platform: Platform, items: Sequence[object]) -> IngestAnswer:
    """Judge readings and commit the good ones in one transaction; returns after the commit.

    Args:
        platform: whose store takes them.
        items: readings as JSON gave them.

    Raises:
        StoreError: if they cannot be committed; none is then.
    """
    received_ms = platform.now_ms()
    latest_ms = received_ms + platform.settings.future_tolerance_s * 1000
    readings, refused = _parse(items)
    signs = platform.catalogue.signs({reading.sign for _, reading in readings})
    accepted = []
    for index, reading in readings:
        reason = _objection(reading, signs, latest_ms)
        if reason is None:
            accepted.append(reading)
        else:
            refused.append(Refusal(index, reading.sign, reason))
    report = platform.store.inbox.append(accepted, received_ms)
    platform.metrics.count_readings(report, len(refused))
    return IngestAnswer(report, sorted(refused, key=lambda each: each.index))


def _parse(items: Sequence[object]) -> tuple[list[tuple[int, Reading]], list[Refusal]]:
    """Return the readings with their positions, and those that are none."""
    positions = range(len(items))
    refused: list[Refusal] = []
    try:
        return list(zip(positions, _validate(items), strict=True)), refused
    except ValidationError as exc:
        reasons = _reasons(exc)
    refused = [Refusal(index, _named_sign(items[index]), reason) for index, reason in reasons.items()]
    kept = [index for index in positions if index not in reasons]
    return list(zip(kept, _validate([items[index] for index in kept]), strict=True)), refused


def _validate(items: Sequence[object]) -> list[Reading]:
    """Check strictly, as JSON: a text is no number, a number no time."""
    return _READINGS.validate_json(orjson.dumps(items), strict=True)


def _reasons(exc: ValidationError) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for error in exc.errors(include_url=False):
        index, *where = error["loc"]
        said = f"{'.'.join(map(str, where)) or 'reading'}: {error['msg']}, was {str(error['input'])[:60]!r}."
        reasons[int(index)] = f"{reasons[int(index)]} {said}" if int(index) in reasons else said
    return reasons


def _named_sign(item: object) -> str | None:
    sign = item.get("sign") if isinstance(item, dict) else None
    return sign[:128] if isinstance(sign, str) else None


def _objection(reading: Reading, signs: SignCatalogue, latest_ms: int) -> str | None:
    if reading.sign not in signs:
        return f"Unknown sign {reading.sign!r}. Import it with `cityforge signs import FILE.csv`."
    if to_ms(reading.time) > latest_ms:
        return (
            f"The time {format_utc(to_ms(reading.time))} lies after {format_utc(latest_ms)}. Check the source's clock."
        )
    return _range_objection(signs[reading.sign], reading.value)


def _range_objection(sign: Sign, value: float | None) -> str | None:
    if value is None:
        return None
    if sign.minimum is not None and value < sign.minimum:
        return f"The value {value} {sign.unit} lies below {sign.minimum}, the lowest that {sign.id!r} can have."
    if sign.maximum is not None and value > sign.maximum:
        return f"The value {value} {sign.unit} lies above {sign.maximum}, the highest that {sign.id!r} can have."
    return None
