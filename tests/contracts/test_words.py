"""Readings, signs, evidence, forecasts, episodes and errors."""

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from contracts import (
    ConfigurationError,
    Evidence,
    EvidenceKind,
    Forecast,
    ForecastSpec,
    Level,
    Problem,
    Reading,
    Sign,
    SignCatalogue,
    UnknownSignError,
    episode_id,
)

SIGN = {
    "id": "flow",
    "title": {"zh": "流量", "en": "Flow"},
    "place": "c",
    "unit": "l/s",
    "interval_s": 3600,
    "source": "scada",
    "domain": "construction",
}


def test_a_reading_keeps_missing_as_missing_and_utc():
    reading = Reading.model_validate_json('{"sign": "flow", "time": "2022-04-27T15:00:00+02:00", "value": null}')
    assert reading.value is None
    assert reading.time == datetime(2022, 4, 27, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "2022-04-27T15:00:00"}, "timezone"),
        ({"value": float("nan")}, "finite"),
        ({"value": "deep"}, "number"),
        ({"sign": "../etc"}, "pattern"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_a_wrong_reading_is_refused(change: dict[str, object], message: str):
    given = {"sign": "flow", "time": "2022-04-27T15:00:00Z", "value": 1.0} | change
    with pytest.raises(ValidationError, match=message):
        Reading.model_validate(given)


def test_a_sign_is_blind_after_three_intervals_unless_told_otherwise():
    assert Sign.model_validate(SIGN).blind_after_s == 3 * 3600
    assert Sign.model_validate(SIGN | {"stale_after_s": 60}).blind_after_s == 60
    with pytest.raises(ValidationError, match="not below maximum"):
        Sign.model_validate(SIGN | {"minimum": 5, "maximum": 5})


def test_an_unknown_sign_is_named_with_known_ones():
    with pytest.raises(UnknownSignError, match=r"Unknown sign 'depth'.*flow"):
        SignCatalogue([Sign.model_validate(SIGN)])["depth"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(EvidenceKind.EXCEEDANCE, 1.5), (EvidenceKind.LIKELIHOOD, 0.0), (EvidenceKind.OBSERVED, 0.5)],
)
def test_evidence_fits_its_kind(kind: EvidenceKind, value: float):
    with pytest.raises(ValidationError, match="cannot have the value"):
        Evidence(node="rain", place="c", kind=kind, value=value, group="radar", time_ms=0)


def test_a_forecast_knows_its_times_and_median():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    forecast = Forecast("flow", 0, 3600, (0.1, 0.5, 0.9), values)
    assert forecast.times_ms().tolist() == [3_600_000, 7_200_000]
    assert forecast.median.tolist() == [1, 4]


@pytest.mark.parametrize("quantiles", [(), (0.5, 0.1), (0.1, 0.9), (0.0, 0.5), (0.5, 0.5)])
def test_quantiles_increase_and_hold_the_median(quantiles: tuple[float, ...]):
    with pytest.raises(ValidationError, match="quantiles must increase"):
        ForecastSpec(context=24, horizon=6, interval_s=3600, quantiles=quantiles)


def test_grey_is_below_every_warning():
    assert [level.rank for level in Level] == [0, 1, 2, 3, 4]
    assert Level.GREY.rank < Level.BLUE.rank < Level.RED.rank


def test_an_episode_has_the_same_id_in_every_replay():
    assert episode_id("burst", "c", 1) == episode_id("burst", "c", 1)
    assert episode_id("burst", "c", 1) != episode_id("burst", "c", 2)


def test_a_configuration_error_lists_every_problem():
    error = ConfigurationError("Recipe 'a.toml'", [Problem("x", "is wrong.", "Mend it."), Problem("y", "too.")])
    assert str(error) == "Recipe 'a.toml' has 2 problems:\n  - x: is wrong. Mend it.\n  - y: too."
