from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import (
    Answer,
    Forecast,
    InboxItem,
    InboxKind,
    Layer,
    Level,
    Quality,
    Status,
    Verdict,
    from_ms,
    to_ms,
)
from early_warning import AnomalyPolicy, BudgetPolicy, WarningConfiguration, WarningEngine, WarningPolicy
from operations import Backtest, LocalModels, backtest

from .worlds import HOUR_MS, OTHER, PUMP, START_MS, SUPPLY, configure_world, flow, local_models, reading, stream, tick

DROP = {150: 60.0, 151: 40.0, 152: 41.0, 153: 40.5}
QUICK = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WarningConfiguration:
    return configure_world(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> LocalModels:
    return local_models(tmp_path_factory.mktemp("model"))


def told(result: Backtest) -> list[str]:
    return [episode.model_dump_json() for _, episode in sorted(result.episodes.items())]


def warnings(result: Backtest) -> list[object]:
    return [episode for episode in result.episodes.values() if episode.layer is not Layer.HEALTH]


def test_calm_days_open_nothing(world: WarningConfiguration, models: LocalModels) -> None:
    result = backtest(world, stream(flow(300)), models)
    assert result.instants == 300
    assert not result.episodes
    assert not result.outbox


def test_a_drop_is_warned_at_its_first_reading_and_closes_when_it_is_over(
    world: WarningConfiguration, models: LocalModels
) -> None:
    result = backtest(world, stream(flow(200, drops=DROP)), models)
    (episode,) = result.episodes.values()
    assert episode.risk == SUPPLY
    assert to_ms(episode.opened_at) == START_MS + 150 * HOUR_MS
    assert episode.peak_level is Level.RED
    assert episode.status is Status.CLOSED
    assert episode.closed_at is not None
    assert START_MS + 154 * HOUR_MS <= to_ms(episode.closed_at) <= START_MS + 158 * HOUR_MS
    assert episode.happened_at is None
    assert episode.explanation is not None
    assert episode.explanation.contributions
    assert next(message.kind for message in result.outbox) == "episode.opened"
    assert [message.kind for message in result.outbox][-1] == "episode.closed"
    (incident,) = result.incidents.values()
    assert incident.episodes == (episode.id,)
    assert incident.status is Status.CLOSED


def test_silence_is_grey_and_never_low_flow(world: WarningConfiguration, models: LocalModels) -> None:
    values: list[float | None] = [*flow(160)]
    values[120:135] = [None] * 15
    result = backtest(world, stream(values), models)
    (episode,) = result.episodes.values()
    assert episode.layer is Layer.HEALTH
    assert episode.level is Level.GREY
    assert episode.signs == (PUMP,)
    assert to_ms(episode.opened_at) == START_MS + 122 * HOUR_MS
    assert episode.closed_at == from_ms(START_MS + 135 * HOUR_MS)


def test_silence_is_noticed_by_the_next_reading_without_any_tick(
    world: WarningConfiguration, models: LocalModels
) -> None:
    values: list[float | None] = [*flow(160)]
    values[120:135] = [None] * 15
    with_ticks, without = (backtest(world, stream(values, ticks=ticks), models) for ticks in (True, False))
    assert told(with_ticks) == told(without)


def test_an_open_warning_is_not_closed_by_going_blind(world: WarningConfiguration, models: LocalModels) -> None:
    values: list[float | None] = [*flow(180, drops={150: 40.0})]
    values[151:170] = [None] * 19
    result = backtest(world, stream(values[:168]), models)
    loss = next(episode for episode in result.episodes.values() if episode.risk == SUPPLY)
    assert loss.status is Status.OPEN
    after = backtest(world, stream(values), models)
    closed = after.episodes[loss.id]
    assert closed.status is Status.CLOSED
    assert closed.closed_at is not None
    assert to_ms(closed.closed_at) >= START_MS + 170 * HOUR_MS


def test_a_statutory_rule_fires_whatever_the_budget_says(tmp_path: Path, models: LocalModels) -> None:
    policy = WarningPolicy(budget=BudgetPolicy(per_risk=1, per_district=1, window_s=10**7))
    drops = dict.fromkeys((100, 130, 160), 3.0)
    result = backtest(configure_world(tmp_path, policy), stream(flow(180, drops=drops)), models)
    laws = [episode for episode in result.episodes.values() if episode.layer is Layer.STATUTORY]
    assert len(laws) == 3
    assert {episode.probability for episode in laws} == {None}
    assert {episode.risk for episode in laws} == {f"{SUPPLY}.dry_main"}


def test_an_exhausted_budget_raises_the_bar_and_says_so(tmp_path: Path, models: LocalModels) -> None:
    drops = dict.fromkeys((500, 510, 520, 530, 540), 90.0)
    values = stream(flow(550, drops=drops))
    anomaly = AnomalyPolicy(tail_from=50)
    generous = WarningPolicy(budget=BudgetPolicy(per_risk=None, per_district=None), anomaly=anomaly)
    tight = WarningPolicy(budget=BudgetPolicy(per_risk=1, per_district=None, window_s=10**6), anomaly=anomaly)
    free = backtest(configure_world(tmp_path / "a", generous), values, models)
    held = backtest(configure_world(tmp_path / "b", tight), values, models)
    assert len(warnings(free)) >= 5
    assert 1 <= len(warnings(held)) < len(warnings(free))
    notes = [transition.note for episode in held.episodes.values() for transition in episode.history]
    assert any("budget" in note for note in notes)


def test_duplicates_change_nothing(world: WarningConfiguration, models: LocalModels) -> None:
    once = stream(flow(170, drops=DROP))
    twice = [item for item in once for _ in range(2)]
    assert told(backtest(world, once, models)) == told(backtest(world, twice, models))


@QUICK
@given(seed=st.integers(0, 10**6))
def test_arrival_in_another_order_within_the_lateness_gives_the_same_episodes(
    tmp_path_factory: pytest.TempPathFactory, models: LocalModels, seed: int
) -> None:
    configuration = configure_world(tmp_path_factory.mktemp("late"), lateness_s=3 * 3600)
    values: list[float | None] = [*flow(170, drops=DROP)]
    values[100:110] = [None] * 10
    in_order = [item for item in stream(values) if item.kind is InboxKind.READING]
    delays = np.random.default_rng(seed).uniform(0, 2.9, len(in_order))
    hours = [(item.time_ms - START_MS) / HOUR_MS + delay for item, delay in zip(in_order, delays, strict=True)]
    shuffled = [in_order[0], *(in_order[i] for i in sorted(range(1, len(in_order)), key=hours.__getitem__))]
    end = tick(10_000, 200)
    assert told(backtest(configuration, [*in_order, end], models)) == told(
        backtest(configuration, [*shuffled, end], models)
    )


def test_a_late_reading_warns_late_and_says_when_it_happened(world: WarningConfiguration, models: LocalModels) -> None:
    values: list[float | None] = [*flow(460)]
    values[450] = None
    items = [item for item in stream(values) if item.time_ms < START_MS + 451 * HOUR_MS]
    items.append(reading(9_000, 450, 40.0))
    items += [reading(9_001, 451, 100.1), tick(9_002, 451)]
    result = backtest(world, items, models)
    (episode,) = result.episodes.values()
    assert episode.opened_at == from_ms(START_MS + 451 * HOUR_MS)
    assert episode.happened_at == from_ms(START_MS + 450 * HOUR_MS)


def test_a_revision_before_the_instant_counts_instead(world: WarningConfiguration, models: LocalModels) -> None:
    values = flow(160)
    items = [*stream(values[:150]), reading(9000, 150, 40.0)]
    engine_items = [replace(item) for item in items]
    engine_items.append(reading(9_001, 150, values[150], revision=2))
    configuration = configure_world_with_lateness(world)
    result = backtest(configuration, [*engine_items, tick(9_002, 155)], models)
    assert not warnings(result)


def configure_world_with_lateness(world: WarningConfiguration) -> WarningConfiguration:
    signs = type(world.signs)(sign.model_copy(update={"lateness_s": 7200}) for sign in world.signs)
    return replace(world, signs=signs)


def test_bad_and_missing_values_are_no_readings(world: WarningConfiguration, models: LocalModels) -> None:
    items = stream(flow(150))
    for hour in range(150, 156):
        value = 0.0 if hour % 2 else None
        items.append(reading(9_000 + 2 * hour, hour, value, quality=Quality.BAD if hour % 2 else Quality.GOOD))
        items.append(tick(9_001 + 2 * hour, hour))
    result = backtest(world, items, models)
    assert [episode.layer for episode in result.episodes.values()] == [Layer.HEALTH]


def test_a_time_beyond_belief_is_ignored(world: WarningConfiguration, models: LocalModels) -> None:
    items = stream(flow(150))
    mad = reading(9_000, 10**7, 3.0, received_ms=START_MS + 150 * HOUR_MS)
    result = backtest(world, [*items, mad], models)
    assert result.instants == 150
    assert result.state["clock"]["ignored"] == 1


def answered(items: list[InboxItem], episode: str, answer: Answer) -> list[InboxItem]:
    """Put a verdict behind the items of hour 151."""
    verdict = Verdict(episode=episode, answer=answer, operator="night shift", time=from_ms(START_MS + 151 * HOUR_MS))
    at = next(i for i, item in enumerate(items) if item.time_ms == START_MS + 152 * HOUR_MS)
    payload = verdict.model_dump(mode="json")
    item = InboxItem(9_000, InboxKind.VERDICT, START_MS + 151 * HOUR_MS, START_MS, payload=payload)
    return [*items[:at], item, *items[at:]]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer.CONFIRMED, Status.CLOSED),
        (Answer.UNKNOWN, Status.CLOSED),
        (Answer.FALSE, Status.DISMISSED),
        (Answer.BENIGN, Status.DISMISSED),
    ],
)
def test_a_verdict_stands_in_the_history(
    world: WarningConfiguration, models: LocalModels, answer: Answer, status: Status
) -> None:
    items = stream(flow(200, drops=DROP))
    (opened,) = backtest(world, items, models).episodes.values()
    result = backtest(world, answered(items, opened.id, answer), models)
    (episode,) = result.episodes.values()  # a dismissed cause does not open again while it lasts
    assert episode.status is status
    assert any("night shift" in transition.note for transition in episode.history)
    assert "episode.answered" in [message.kind for message in result.outbox]


def test_a_silent_model_is_grey_and_rules_go_on(world: WarningConfiguration) -> None:
    result = backtest(world, stream(flow(40, drops={30: 3.0})), LocalModels({}))
    layers = {episode.layer for episode in result.episodes.values()}
    assert {Layer.HEALTH, Layer.STATUTORY} <= layers


def test_rehearsed_instants_learn_but_open_nothing(tmp_path: Path, models: LocalModels) -> None:
    policy = WarningPolicy(
        rehearse_from=from_ms(START_MS + 20 * HOUR_MS), decide_from=from_ms(START_MS + 170 * HOUR_MS)
    )
    result = backtest(configure_world(tmp_path, policy), stream(flow(180, drops=DROP)), models)
    assert result.instants == 160
    assert not result.episodes
    assert f"calibration/{PUMP}" in result.state


@QUICK
@given(cuts=st.sets(st.integers(1, 390), max_size=6))
def test_killed_anywhere_and_resumed_gives_the_same_to_the_last_digit(
    world: WarningConfiguration, models: LocalModels, cuts: set[int]
) -> None:
    values: list[float | None] = [*flow(200, drops=DROP)]
    values[60:70] = [None] * 10
    items = stream(values)
    whole = backtest(world, items, models)
    bounds = [0, *sorted(cuts), len(items)]
    parts = Backtest()
    for start, end in itertools.pairwise(bounds):
        state = json.loads(json.dumps(parts.state, sort_keys=True))
        part = backtest(world, items[start:end], models, state)
        parts.episodes |= part.episodes
        parts.incidents |= part.incidents
        parts.outbox += part.outbox
        parts.state = part.state
    assert parts.episodes == whole.episodes
    assert parts.incidents == whole.incidents
    assert parts.outbox == whole.outbox
    assert parts.state == whole.state


def test_signs_are_forecast_in_one_order_and_only_when_they_can_be(world: WarningConfiguration) -> None:
    engine = WarningEngine(world)
    for hour in range(30):
        engine.accept(reading(2 * hour + 1, hour, 100.0, sign=OTHER))
        engine.accept(reading(2 * hour + 2, hour, 100.0 if hour > 26 else None))
    for instant in engine.due()[:-1]:
        engine.prepare(instant)
        engine.decide(instant, {})
    (last,) = engine.due()
    requests = engine.prepare(last)
    assert [request.sign for request in requests] == [OTHER]
    assert requests[0].context.dtype == np.float32
    assert requests[0].context.shape == (24,)
    assert requests[0].calendar is None


def test_a_masked_reading_is_not_shown_to_the_model(world: WarningConfiguration, models: LocalModels) -> None:
    contexts: dict[int, float] = {}

    class Spy(LocalModels):
        def infer(self, model, feeds):  # type: ignore[no-untyped-def]
            contexts[len(contexts)] = feeds["context"][0, -1]
            return super().infer(model, feeds)

    spy = Spy({})
    spy._sessions = models._sessions
    backtest(world, stream(flow(160, drops=DROP)), spy)
    shown = list(contexts.values())
    assert np.isnan(shown[150 - 5 : 154 - 5]).all()  # the first forecast is asked for at the sixth reading
    assert not np.isnan(shown[: 150 - 5]).any()


def test_a_forecast_of_another_horizon_is_refused(world: WarningConfiguration) -> None:
    engine = WarningEngine(world)
    for item in stream(flow(10), ticks=False):
        engine.accept(item)
    instant = engine.due()[0]
    engine.prepare(instant)
    bad = Forecast(PUMP, instant, 3600, (0.5,), np.zeros((3, 1), np.float32), "pumps", 1)
    engine.decide(instant, {PUMP: bad})  # a fresh calibration takes any shape
    assert engine.settle().state["clock"]["decided_ms"] == instant
