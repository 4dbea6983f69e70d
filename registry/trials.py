"""Trials of challengers: begun and ended in the audit, which every serving process follows and reports to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from contracts import (
    TRIAL_REPORT,
    TRIAL_START,
    TRIAL_STOP,
    PromotionError,
    ReleaseManifest,
    TrialLimits,
    TrialPlan,
    TrialReport,
    from_ms,
)
from store import Store

from .versions import gates_passed


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The last trial of a model.

    Attributes:
        plan: what is or was tried.
        actor: who began it.
        began_at: when.
        ended_at: when it ended; None while it goes on.
        ended_by: who ended it: a person, or ``serving`` after a regression.
        reason: why it ended.
        found: what all serving processes have reported, as one.
    """

    plan: TrialPlan
    actor: str
    began_at: datetime
    found: TrialReport
    ended_at: datetime | None = None
    ended_by: str = ""
    reason: str = ""


def begin_trial(
    store: Store, manifest: ReleaseManifest, actor: str, *, canary_share: float, limits: TrialLimits
) -> TrialPlan:
    """Order a trial of a released version beside its champion.

    Raises:
        PromotionError: if it failed a gate, is the champion itself, or there is no champion to be compared with.
    """
    name, version = manifest.name, manifest.version
    champion = store.ledger.champion(name)
    if champion is None:
        message = f"{name!r} has no champion to compare version {version} with. Promote one first."
        raise PromotionError(message)
    if champion.manifest.version == version:
        message = f"Version {version} of {name!r} is the champion already. Name another one."
        raise PromotionError(message)
    if not gates_passed(manifest.gates):
        message = f"Version {version} of {name!r} has not passed its gates, so that it may not be asked by anybody."
        raise PromotionError(message)
    plan = TrialPlan(name=name, version=version, sha256=manifest.sha256, canary_share=canary_share, limits=limits)
    store.audit.append(actor, TRIAL_START, name, plan.model_dump(mode="json"))
    return plan


def end_trial(store: Store, name: str, actor: str, reason: str) -> TrialRecord:
    """Order the end of a trial.

    Raises:
        PromotionError: if none goes on.
    """
    record = last_trial(store, name)
    if record is None or record.ended_at is not None:
        message = f"No trial of {name!r} goes on. Begin one with `cityforge trial {name} --version N`."
        raise PromotionError(message)
    store.audit.append(actor, TRIAL_STOP, name, {"version": record.plan.version, "reason": reason})
    ended = last_trial(store, name)
    assert ended is not None  # noqa: S101 - it was there before
    return ended


def last_trial(store: Store, name: str) -> TrialRecord | None:
    """Return the last trial of a model with all that was found; None where there was none."""
    entries = store.audit.about(name, (TRIAL_START, TRIAL_STOP, TRIAL_REPORT))
    starts = [position for position, entry in enumerate(entries) if entry.action == TRIAL_START]
    if not starts:
        return None
    start, later = entries[starts[-1]], entries[starts[-1] + 1 :]
    plan = TrialPlan.model_validate(start.detail)
    found = TrialReport(version=plan.version)
    for entry in later:
        if entry.action == TRIAL_REPORT:
            found = found.joined(TrialReport.model_validate(entry.detail))
    stop = next((entry for entry in later if entry.action == TRIAL_STOP), None)
    record = TrialRecord(plan, start.actor, from_ms(start.time_ms), found)
    if stop is None:
        return record
    reason = str(stop.detail.get("reason", ""))
    return replace(record, ended_at=from_ms(stop.time_ms), ended_by=stop.actor, reason=reason)
