"""Why nothing fired: what the store knows of one sign at one time, step by step along the way to a warning."""

from __future__ import annotations

from dataclasses import dataclass

from contracts import Episode, Quality, Sign, UnknownSignError, format_utc, from_ms, resolve_forecasters
from store import EpisodeFilter, Store

from .status import runtime_status

LOOK_BACK_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of the way from a reading to a warning.

    Attributes:
        step: which step.
        fine: whether a warning could have passed it.
        detail: what was found.
    """

    step: str
    fine: bool
    detail: str


def explain_silence(store: Store, sign_id: str, time_ms: int, *, shard: str = "main") -> list[Finding]:
    """Return what was known of a sign at an event time, in the order of the way to a warning.

    Args:
        store: the platform's store.
        sign_id: the sign.
        time_ms: event time, ms.
        shard: the shard whose runtime decides on it.

    Raises:
        UnknownSignError: if the store does not hold the sign.
    """
    known = {sign.id: sign for sign in store.signs.all()}
    if sign_id not in known:
        message = f"Unknown sign {sign_id!r} among {len(known)}. See `cityforge signs list`."
        raise UnknownSignError(message)
    sign = known[sign_id]
    return [
        _reading(store, sign, time_ms),
        _runtime(store, time_ms, shard),
        _model(store, sign),
        *_episodes(store, sign, time_ms),
    ]


def _reading(store: Store, sign: Sign, time_ms: int) -> Finding:
    start_ms = time_ms - LOOK_BACK_INTERVALS * sign.interval_s * 1000
    found = store.readings.revisions(sign.id, start_ms, time_ms + 1)
    if not found:
        newest = store.readings.latest([sign.id]).get(sign.id)
        last = f"the newest of all is of {format_utc(newest)}" if newest is not None else "it never sent one"
        return Finding(
            "reading", fine=False, detail=f"no reading in the {LOOK_BACK_INTERVALS} intervals before; {last}"
        )
    newest_reading = found[-1]
    if newest_reading.value is None or newest_reading.quality is Quality.BAD:
        detail = f"the reading of {format_utc(newest_reading.time_ms)} has no usable value ({newest_reading.quality})"
        return Finding("reading", fine=False, detail=detail)
    detail = f"{newest_reading.value:g} {sign.unit} at {format_utc(newest_reading.time_ms)}"
    return Finding("reading", fine=True, detail=detail)


def _runtime(store: Store, time_ms: int, shard: str) -> Finding:
    status = runtime_status(store, shard)
    if status is None:
        detail = f"no runtime of shard {shard!r} has ever decided; start one with `cityforge serve`"
        return Finding("runtime", fine=False, detail=detail)
    if status.decided_at is None or status.decided_at < from_ms(time_ms):
        until = "nothing" if status.decided_at is None else f"only up to {status.decided_at:%Y-%m-%dT%H:%MZ}"
        detail = f"decided {until}; {status.lag} items wait. Is the watermark held back by a source or the clock?"
        return Finding("runtime", fine=False, detail=detail)
    return Finding("runtime", fine=True, detail=f"decided up to {status.decided_at:%Y-%m-%dT%H:%MZ}")


def _model(store: Store, sign: Sign) -> Finding:
    champions = {name: entry.manifest for name, entry in store.ledger.champions().items()}
    assigned = store.assignments.all()
    name = resolve_forecasters(champions, assigned).get(sign.id, assigned.get(sign.id))
    if name is None:
        return Finding(
            "model", fine=False, detail="no model forecasts it: rules on its readings work, model evidence does not"
        )
    champion = store.ledger.champion(name)
    if champion is None:
        return Finding("model", fine=False, detail=f"{name!r} is assigned but has no champion; promote a version")
    return Finding("model", fine=True, detail=f"{name} version {champion.manifest.version}")


def _episodes(store: Store, sign: Sign, time_ms: int) -> list[Finding]:
    wanted = EpisodeFilter(place_ids=(sign.place,), until_ms=time_ms + 1, limit=200)
    standing = [episode for episode in store.episodes.find(wanted) if _stands_at(episode, time_ms)]
    if not standing:
        detail = (
            "none stood at its place: the probability stayed below cost/loss of every level (`cityforge rules test`)"
        )
        return [Finding("episodes", fine=True, detail=detail)]
    return [
        Finding(
            "episodes",
            fine=True,
            detail=f"{one.peak_level} {one.title.en} since {one.opened_at:%Y-%m-%dT%H:%MZ} ({one.id})",
        )
        for one in standing
    ]


def _stands_at(episode: Episode, time_ms: int) -> bool:
    time = from_ms(time_ms)
    return episode.opened_at <= time and (episode.closed_at is None or episode.closed_at >= time)
