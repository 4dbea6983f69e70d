"""From a sign and a time to its forecast: window, calendar, model, calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts import (
    Array,
    DataError,
    Forecast,
    ForecastSpec,
    Sign,
    calendar_features,
    format_utc,
    resolve_forecasters,
)
from early_warning import calibrate, calibration_key

from .engine import ServedModel
from .errors import NotFoundError

if TYPE_CHECKING:
    from .platform import Platform

CONTEXT, CALENDAR, QUANTILES = "context", "calendar", "quantiles"


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What one model is asked: one row per sign."""

    model: ServedModel
    spec: ForecastSpec
    signs: tuple[Sign, ...]
    origins_ms: tuple[int, ...]
    contexts: Array

    def feeds(self) -> dict[str, Array]:
        """Return the model's inputs."""
        feeds = {CONTEXT: self.contexts}
        if self.spec.calendar is not None:
            steps = np.arange(1 - self.spec.context, self.spec.horizon + 1, dtype=np.int64)
            times_ms = np.asarray(self.origins_ms, np.int64)[:, None] + steps * self.spec.interval_s * 1000
            feeds[CALENDAR] = calendar_features(times_ms, self.spec.calendar)
        return feeds


async def forecast_signs(
    platform: Platform, signs: Sequence[str], at_ms: int | None, *, raw: bool
) -> list[dict[str, Any]]:
    """Forecast signs.

    Args:
        platform: whose store and models are used.
        signs: ids, each once.
        at_ms: event time of the last step that is looked at; None for each sign's newest reading.
        raw: leave the models' quantiles as they are.

    Returns:
        One document per sign, in the order given.

    Raises:
        UnknownSignError: if a sign is not known.
        NotFoundError: if no model forecasts a sign.
        DataError: if a sign has too few readings, or its model another interval.
        OverloadedError: if a model is not ready.
    """
    questions, state = await platform.ask(_prepare, platform, signs, at_ms, raw)
    documents: dict[str, dict[str, Any]] = {}
    for question in questions:
        result = await platform.engine.infer(question.model.name, question.feeds(), str(question.model.version))
        for row, sign in enumerate(question.signs):
            forecast = _forecast(question, row, result.outputs[QUANTILES][row])
            issued = forecast if raw else calibrate(forecast, state)
            documents[sign.id] = _document(issued, sign, calibrated=issued is not forecast)
    return [documents[sign] for sign in signs]


def _prepare(
    platform: Platform, signs: Sequence[str], at_ms: int | None, raw: bool
) -> tuple[list[_Question], Mapping[str, Any]]:
    catalogue = platform.catalogue.signs(signs)
    known = [catalogue[sign] for sign in signs]
    origins = dict.fromkeys(signs, at_ms) if at_ms is not None else _newest(platform, signs)
    groups: dict[str, list[Sign]] = defaultdict(list)
    assigned = _assignments(platform)
    for sign in known:
        groups[_model_of(assigned, sign)].append(sign)
    questions = [_question(platform, name, group, origins) for name, group in groups.items()]
    if raw:
        return questions, {}
    state = platform.store.runtime.load(platform.settings.shard).state
    keys = {calibration_key(sign) for sign in signs}
    return questions, {key: value for key, value in state.items() if key in keys}


def _newest(platform: Platform, signs: Sequence[str]) -> dict[str, int]:
    newest = platform.store.readings.latest(signs)
    silent = [sign for sign in signs if sign not in newest]
    if silent:
        message = f"{len(silent)} signs have no reading yet: {', '.join(silent[:5])}. Send readings first."
        raise DataError(message)
    return newest


def _assignments(platform: Platform) -> dict[str, str]:
    """Return sign → model, as the runtime and the tables see it; only of models that are being served."""
    served = {name: slot.champion.manifest for name, slot in platform.engine.models if slot.champion is not None}
    return resolve_forecasters(served, platform.store.assignments.all())


def _model_of(assigned: Mapping[str, str], sign: Sign) -> str:
    try:
        return assigned[sign.id]
    except KeyError:
        message = (
            f"No model forecasts {sign.id!r}. Train and promote one with `cityforge train RECIPE`, "
            "or assign a champion with `cityforge assign`."
        )
        raise NotFoundError(message) from None


def _question(platform: Platform, name: str, signs: Sequence[Sign], origins: Mapping[str, int]) -> _Question:
    model = platform.engine.models.find(name)
    spec = model.manifest.forecast
    if spec is None:
        message = f"The model {name!r} makes no forecasts; it is assigned to {signs[0].id!r}. Assign a forecaster."
        raise DataError(message)
    if not spec.takes_readings_alone:
        message = (
            f"The model {name!r} takes more than one sign's readings: covariates {[*spec.known, *spec.static]}, series "
            f"{spec.series}. Ask /v2 with all of its inputs, or `cityforge forecast --known FILE` for covariates."
        )
        raise DataError(message)
    rows: dict[str, Array] = {}
    for end_ms in {origins[sign.id] for sign in signs}:
        group = [sign.id for sign in signs if origins[sign.id] == end_ms]
        rows |= platform.store.readings.window(group, end_ms, spec.context)
    for sign in signs:
        _check(sign, spec, rows[sign.id], origins[sign.id])
    contexts = np.stack([rows[sign.id] for sign in signs])
    return _Question(model, spec, tuple(signs), tuple(origins[sign.id] for sign in signs), contexts)


def _check(sign: Sign, spec: ForecastSpec, context: Array, origin_ms: int) -> None:
    if sign.interval_s != spec.interval_s:
        message = f"{sign.id!r} is read every {sign.interval_s} s, its model steps {spec.interval_s} s. Assign another."
        raise DataError(message)
    observed = int(np.count_nonzero(np.isfinite(context)))
    if observed < spec.minimum_observed:
        message = (
            f"{sign.id!r} has {observed} usable readings in the {spec.context} steps up to {format_utc(origin_ms)}; "
            f"its model needs {spec.minimum_observed}. Wait for readings, or ask for another time."
        )
        raise DataError(message)


def _forecast(question: _Question, row: int, values: Array) -> Forecast:
    return Forecast(
        sign=question.signs[row].id,
        origin_ms=question.origins_ms[row],
        interval_s=question.spec.interval_s,
        quantiles=question.spec.quantiles,
        values=values,
        model=question.model.name,
        version=question.model.version,
    )


def _document(forecast: Forecast, sign: Sign, *, calibrated: bool) -> dict[str, Any]:
    return {
        "sign": forecast.sign,
        "unit": sign.unit,
        "origin": format_utc(forecast.origin_ms),
        "interval_s": forecast.interval_s,
        "quantiles": forecast.quantiles,
        "times": [format_utc(int(time_ms)) for time_ms in forecast.times_ms()],
        "values": np.ascontiguousarray(forecast.values),
        "model": forecast.model,
        "version": forecast.version,
        "calibrated": calibrated,
    }
