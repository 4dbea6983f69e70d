"""The street pack on the real engine: what a camera and a rain gauge say alone, and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from contracts import Episode, InboxItem, InboxKind, Layer, Level, Quality, from_ms, load_pack, parse_utc, to_ms
from early_warning import WarningConfiguration
from operations import LocalModels, backtest, compile_packs

FOLDER = Path(__file__).parents[2] / "scenarios" / "safety" / "street_watch"
START_MS = to_ms(parse_utc("2024-06-12T09:00:00Z"))
MINUTE_MS = 60_000
RAIN, WATER, LANE = "street.rain", "street.water_seen", "street.lane_blocked"


def watch(minutes: int, **signs: Mapping[int, float] | float | None) -> list[Episode]:
    """Run the pack over minutes of readings; a sign's values are one for all, or by the minute from which they hold."""
    names = {"rain": RAIN, "water": WATER, "lane": LANE}
    pack = load_pack(FOLDER)
    configuration = WarningConfiguration(pack.signs, pack.places, compile_packs([FOLDER], pack.signs, pack.places))
    items = list(_items(minutes, {names[name]: values for name, values in signs.items()}))
    return sorted(backtest(configuration, items, LocalModels({})).episodes.values(), key=lambda one: one.opened_at)


def _items(minutes: int, signs: Mapping[str, Mapping[int, float] | float | None]) -> Iterator[InboxItem]:
    sequence = 0
    for minute in range(minutes + 1):
        time_ms = START_MS + minute * MINUTE_MS
        for sign, values in signs.items():
            steps = values if isinstance(values, Mapping) else {0: values}
            value = steps[max(step for step in steps if step <= minute)]
            if value is None:
                continue
            sequence += 1
            yield InboxItem(
                sequence=sequence,
                kind=InboxKind.READING,
                time_ms=time_ms,
                received_ms=time_ms,
                sign=sign,
                value=value,
                quality=Quality.GOOD,
            )
        sequence += 1
        yield InboxItem(sequence=sequence, kind=InboxKind.TICK, time_ms=time_ms, received_ms=time_ms)


def warnings(episodes: list[Episode]) -> list[tuple[str, Level]]:
    return [(one.risk, one.peak_level) for one in episodes if one.layer is not Layer.HEALTH]


def test_each_source_alone_says_little_and_both_say_it() -> None:
    assert warnings(watch(30, rain=30.0, water=0.0)) == [("street.standing_water", Level.YELLOW)]
    assert warnings(watch(30, rain=0.0, water=2.7)) == []
    assert warnings(watch(30, rain=30.0, water=2.7)) == [("street.standing_water", Level.ORANGE)]


def test_a_dry_road_takes_the_rain_s_warning_back() -> None:
    assert warnings(watch(30, rain=30.0, water=-2.0)) == []


def test_the_reasons_name_both_sources() -> None:
    (episode,) = watch(30, rain={0: 0.0, 10: 30.0}, water={0: -1.0, 20: 2.7})
    assert episode.explanation is not None
    signs = {part.reason.en for part in episode.explanation.contributions}
    assert signs == {"Rain of 30 mm/h for five minutes", "The camera sees standing water"}
    assert episode.explanation.counterfactual is not None


def test_what_a_camera_says_is_capped() -> None:
    (one,), (other,) = (watch(30, rain=30.0, water=value) for value in (4.0, 20.0))
    assert one.explanation is not None
    assert other.explanation is not None
    assert one.explanation.posterior == other.explanation.posterior


def test_a_silent_camera_is_grey_and_takes_nothing_back() -> None:
    episodes = watch(30, rain=30.0, water={0: 2.7, 15: None}, lane={0: 0.0, 15: None})
    assert ("street.standing_water", Level.ORANGE) in warnings(episodes)
    grey = [one for one in episodes if one.layer is Layer.HEALTH]
    assert [one.risk for one in grey] == ["health.stale_source.street.cam1"]


def test_a_fire_lane_is_statutory_after_five_minutes() -> None:
    short = watch(20, lane={0: 0.0, 5: 3.0, 8: 0.0})
    long = watch(20, lane={0: 0.0, 5: 3.0, 7: 5.0, 9: 7.0})
    assert warnings(short) == []
    assert ("street.fire_lane.keep_clear", Level.ORANGE) in warnings(long)
    (statutory,) = (one for one in long if one.layer is Layer.STATUTORY)
    assert statutory.opened_at == from_ms(START_MS + 7 * MINUTE_MS)
