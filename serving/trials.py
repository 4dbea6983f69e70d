"""Follows the audit's orders about trials, and writes down there what they found."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from contracts import TRIAL_REPORT, TRIAL_START, TRIAL_STOP, FactoryError, TrialPlan, TrialReport
from store import AuditEntry

from .engine import Trial

if TYPE_CHECKING:
    from .platform import Platform

REPORT_S = 60.0
"""Seconds between two reports of a trial."""
ACTOR = "serving"

log = logging.getLogger(__name__)


class TrialFollower:
    """Begins, ends and reports the trials of one process.

    Args:
        platform: whose store says what is tried, and whose engine tries it.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._seen = 0
        self._report_at = time.monotonic() + REPORT_S

    async def follow(self, last: int) -> None:
        """Do what the audit says that is new, and report what was found.

        Args:
            last: the audit's last sequence number.
        """
        await self._report()
        store = self._platform.store
        if last == self._seen:
            return
        for order in await self._platform.ask(store.audit.latest, (TRIAL_START, TRIAL_STOP), self._seen):
            if order.action == TRIAL_STOP:
                self._platform.engine.end_trial(order.subject)
            else:
                await self._begin(order)
        self._seen = last

    async def flush(self) -> None:
        """Write down what was found since the last report."""
        for trial in self._platform.engine.trials.all():
            await self._write(trial)

    async def _begin(self, order: AuditEntry) -> None:
        try:
            plan = TrialPlan.model_validate(order.detail)
        except ValidationError as exc:
            log.error("the trial of %r in the audit cannot be read: %s", order.subject, exc)  # noqa: TRY400
            return
        platform = self._platform
        champion = platform.engine.models.champion(plan.name)
        if champion is not None and champion.version == plan.version:
            return  # it was promoted since
        try:
            manifest = await platform.ask(platform.releases.manifest, plan.sha256, plan.name, plan.version)
            await platform.engine.begin_trial(plan, manifest)
        except FactoryError as exc:
            await self._stop(plan, f"it cannot be opened: {exc}", None)

    async def _report(self) -> None:
        due = time.monotonic() >= self._report_at
        if due:
            self._report_at = time.monotonic() + REPORT_S
        for trial in self._platform.engine.trials.all():
            if trial.ended is not None:
                await self._write(trial)
                self._platform.engine.end_trial(trial.plan.name)
                await self._stop(trial.plan, trial.ended, trial.total)
            elif due:
                await self._write(trial)

    async def _write(self, trial: Trial) -> None:
        report = trial.take_report()
        if report is not None:
            append = self._platform.store.audit.append
            await self._platform.ask(append, ACTOR, TRIAL_REPORT, trial.plan.name, report.model_dump(mode="json"))

    async def _stop(self, plan: TrialPlan, reason: str, found: TrialReport | None) -> None:
        detail = {"version": plan.version, "reason": reason}
        if found is not None:
            detail["found"] = found.model_dump(mode="json")
        await self._platform.ask(self._platform.store.audit.append, ACTOR, TRIAL_STOP, plan.name, detail)
