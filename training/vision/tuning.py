"""Searches settings of a fit within a time budget: every trial is a run of its own below the search's run.

Chosen is what is best on validation after a short fit. Optuna proposes (a tree-structured Parzen estimator) and gives
up on trials that lag behind the others at the same epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from contracts import ModelError
from registry import Registry, Run

from .dataset import PictureSet
from .fitting import follow_fit
from .production import CHOSEN_BY, inspect_pictures, log_inspection
from .recipe import DetectRecipe, FittingSection

BATCHES = (8, 16, 32)
LEARNING_RATES = (2e-4, 4e-3)
MINIMUM_TRIAL_S = 5.0
UNJUDGED_TRIALS = 3
UNJUDGED_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial: its settings, the best validation mAP50 (None where it failed), and how it ended."""

    settings: dict[str, Any]
    map50: float | None
    state: str
    run_id: str


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What a search found.

    Attributes:
        fitting: the section ``[fitting]`` with the best settings.
        map50: what they reached on validation after a short fit.
        trials: all of them, in order.
        run_id: of the search.
    """

    fitting: FittingSection
    map50: float
    trials: tuple[TrialSummary, ...]
    run_id: str


def tune_detector(
    recipe: DetectRecipe,
    registry: Registry,
    folder: Path,
    *,
    budget_s: float,
    trials: int,
    progress: Callable[[str, float], None] | None = None,
) -> TuningResult:
    """Search learning rate, batch and mosaic for a recipe.

    Args:
        recipe: what to fit; its own settings are the first trial.
        registry: where runs are tracked; nothing is registered.
        folder: where fits work.
        budget_s: seconds for all trials.
        trials: at most; each gets its share of the budget.
        progress: told what is being done and how much of it is done.

    Raises:
        ConfigurationError: listing everything that is wrong with the data.
        ModelError: if no trial could be fitted.
    """
    report = progress or (lambda _what, _share: None)
    found = inspect_pictures(recipe, report)
    parameters = {**recipe.model_dump(mode="json"), "search": {"budget_s": budget_s, "trials": trials}}
    with registry.run(recipe.name, f"tune-{recipe.model.architecture}", parameters=parameters) as run:
        log_inspection(found, run)
        search = _Search(recipe, registry, found.data, folder / run.id, run)
        summaries = search.run(budget_s, trials, report)
        reached = [one for one in summaries if one.map50 is not None]
        if not reached:
            message = f"No trial of {recipe.name!r} was judged within {budget_s:g} s. Give more time, or fewer trials."
            raise ModelError(message)
        best = max(reached, key=lambda one: one.map50 or 0.0)
        run.log_metrics({"best_map50": best.map50 or 0.0, "trials": len(summaries)})
        run.set_tags({"best_trial": best.run_id})
        run.log_json([{**one.settings, "map50": one.map50, "state": one.state} for one in summaries], "trials.json")
    fitting = recipe.fitting.model_copy(update=best.settings)
    return TuningResult(fitting, best.map50 or 0.0, tuple(summaries), run.id)


class _Search:
    """The trials of one search."""

    def __init__(self, recipe: DetectRecipe, registry: Registry, data: PictureSet, folder: Path, parent: Run) -> None:
        self._recipe, self._registry, self._data, self._folder, self._parent = recipe, registry, data, folder, parent
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=recipe.fitting.seed, n_startup_trials=UNJUDGED_TRIALS),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNJUDGED_TRIALS, n_warmup_steps=UNJUDGED_EPOCHS),
        )
        own = recipe.fitting
        self._study.enqueue_trial(
            {"learning_rate": own.learning_rate, "batch": own.batch, "mosaic": own.mosaic}, skip_if_exists=True
        )

    def run(self, budget_s: float, trials: int, report: Callable[[str, float], None]) -> list[TrialSummary]:
        """Run trials until they are all done or the time is up."""
        ends_s = time.monotonic() + budget_s
        summaries: list[TrialSummary] = []
        for number in range(trials):
            left_s = ends_s - time.monotonic()
            share_s = min(left_s, budget_s / trials)
            if left_s < max(MINIMUM_TRIAL_S, 0.5 * budget_s / trials):
                break
            report(f"trial {number + 1} of {trials}", 0.1 + 0.9 * number / trials)
            summaries.append(self._try(share_s))
        return summaries

    def _try(self, seconds: float) -> TrialSummary:
        trial = self._study.ask()
        own = self._recipe.fitting
        settings = {
            "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
            "batch": trial.suggest_categorical("batch", sorted({*BATCHES, own.batch})),
            "mosaic": trial.suggest_float("mosaic", 0, 1),
        }
        fitting = own.model_copy(update={**settings, "time_budget_s": seconds})
        recipe = self._recipe.model_copy(update={"fitting": fitting})
        name, tags = f"trial-{trial.number}", {"mlflow.parentRunId": self._parent.id}
        with self._registry.run(recipe.name, name, parameters=fitting.model_dump(), tags=tags) as run:
            best, state = self._fit(trial, recipe, run)
            if best is not None:
                run.log_metrics({"best_map50": best})
            run.set_tags({"trial": state})
        return TrialSummary(settings, best, state, run.id)

    def _fit(self, trial: optuna.Trial, recipe: DetectRecipe, run: Run) -> tuple[float | None, str]:
        figures: list[float] = []

        def on_epoch(entry: dict[str, Any]) -> None:
            value = entry["metrics"].get(CHOSEN_BY["detect"])
            if value is None:
                return
            figures.append(value)
            run.log_metrics({"map50": value}, entry["epoch"])
            trial.report(value, entry["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        work = self._folder / f"trial-{trial.number}"
        work.mkdir(parents=True)
        state = optuna.trial.TrialState.COMPLETE
        try:
            follow_fit(recipe, self._data, work, on_epoch, export=False)
        except optuna.TrialPruned:
            state = optuna.trial.TrialState.PRUNED
        except ModelError:
            state = optuna.trial.TrialState.FAIL
        best = float(np.max(figures)) if figures else None
        if best is None:
            state = optuna.trial.TrialState.FAIL
        self._study.tell(trial, best if state is optuna.trial.TrialState.COMPLETE else None, state)
        return best, state.name.lower()
