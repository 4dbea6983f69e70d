"""The fast backtest opens the very episodes that the engine opens."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from contracts import Episode, Layer
from early_warning import WarningPolicy
from operations import LocalModels, Past, backtest, backtest_rules
from tests.early_warning.worlds import HOUR_MS, OTHER, PUMP, START_MS, configure_world, flow, reading, tick

HOURS = 400


def series(seed: int) -> dict[str, list[float | None]]:
    random = np.random.default_rng(seed)
    found: dict[str, list[float | None]] = {}
    for sign in (PUMP, OTHER):
        values: list[float | None] = [*flow(HOURS, seed=seed)]
        for start in random.integers(0, HOURS - 12, size=9):
            length = int(random.integers(1, 9))
            low = random.random() < 0.7
            values[start : start + length] = [float(random.integers(0, 7)) if low else None for _ in range(length)]
        found[sign] = values
    return found


def told(episode: Episode) -> str:
    return episode.model_copy(update={"explanation": None}).model_dump_json()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_episodes_are_the_engines_to_the_last_digit(tmp_path: Path, seed: int) -> None:
    configuration = dataclasses.replace(configure_world(tmp_path), assignments={}, policy=WarningPolicy())
    world = series(seed)
    items = []
    for hour in range(HOURS):
        for sign, values in world.items():
            if values[hour] is not None:
                items.append(reading(len(items) + 1, hour, values[hour], sign=sign))
        items.append(tick(len(items) + 1, hour))
    expected = backtest(configuration, items, LocalModels({}))
    (rules,) = configuration.rules.values()
    readings = {sign: np.array(values, np.float64) for sign, values in world.items()}
    past = Past(START_MS + HOUR_MS * np.arange(HOURS), readings)
    found = backtest_rules(rules, configuration.places, past, configuration.policy)
    spoken = {key: one for key, one in expected.episodes.items() if one.layer is not Layer.HEALTH}
    assert {Layer.STATUTORY, Layer.EXPERIENCE} == {one.layer for one in spoken.values()}
    assert {key: told(one) for key, one in found.episodes.items()} == {key: told(one) for key, one in spoken.items()}
    assert found.incidents == {key: one for key, one in expected.incidents.items() if set(one.episodes) & spoken.keys()}


def test_nothing_opens_before_the_day_that_decides(tmp_path: Path) -> None:
    configuration = configure_world(tmp_path)
    (rules,) = configuration.rules.values()
    past = Past(START_MS + HOUR_MS * np.arange(10), {PUMP: np.full(10, 1.0)})
    late = START_MS + 5 * HOUR_MS
    found = backtest_rules(rules, configuration.places, past, decide_from_ms=late)
    assert min(one.opened_at.timestamp() for one in found.episodes.values()) * 1000 == late
