"""The search: Optuna proposes, the validation window judges, every trial is a run below the search's own.

Its state is a journal on disk, so that a search that was killed goes on with the trials and the time it has left. What
it chooses by is the mean absolute error of the median on the validation window, in units of each window's spread, after
a fit on the train window alone; gate and report windows are never looked at.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from contracts import FactoryError, ModelError
from models.forecasting import Forecaster, GradientForecaster, build_forecaster, families, window_scale
from registry import Registry, Run
from training.auto import SearchOptions
from training.dataset import Dataset
from training.fitting import Progress, fit, one_thread
from training.recipe import ModelSection, Recipe

from .spaces import SPACES, gradient_settings

JOURNAL = "search.journal"
LONGEST_SHARE = 0.5
"""A trial that takes more than this share of the budget is given up."""

_SECONDS, _FAMILY = "seconds", "family"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search chose.

    Attributes:
        recipe: the recipe with the family and settings of the best trial.
        loss: its validation loss.
        trials: how many were told, those that failed or were given up included.
        seconds: how long all trials took together, over every start.
        best_by_family: the best loss of each family that was tried.
    """

    recipe: Recipe
    loss: float
    trials: int
    seconds: float
    best_by_family: dict[str, float]


def search_recipe(
    dataset: Dataset, registry: Registry, parent: Run, folder: Path, progress: Progress | None = None
) -> SearchResult:
    """Search families and settings for a recipe whose family is ``auto``.

    Args:
        dataset: data and recipe.
        registry: where every trial is tracked.
        parent: the search's run.
        folder: where the search's journal lies; one that is there is gone on with.
        progress: told the share of the budget that is spent.

    Raises:
        ModelError: if no trial came to an end.
    """
    return _Search(dataset, registry, parent, folder).run(progress or _silent)


class _Search:
    def __init__(self, dataset: Dataset, registry: Registry, parent: Run, folder: Path) -> None:
        self.dataset, self.registry, self.parent = dataset, registry, parent
        self.recipe = dataset.recipe
        self.options = SearchOptions.model_validate(self.recipe.model.options)
        folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            study_name=self.recipe.name,
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
            load_if_exists=True,
        )
        self._settle_lost()

    def run(self, progress: Progress) -> SearchResult:
        """Try until time or trials are spent."""
        while not self._is_spent():
            told = len(self.study.trials)
            best = self._best_loss()
            doing = f"trial {told + 1}" + ("" if best is None else f", best {best:.4g}")
            progress(doing, min(self.spent_s() / self.options.budget_s, 1.0))
            self._try(told)
        progress("searched", 1.0)
        return self._result()

    def spent_s(self) -> float:
        """Return the seconds that all trials took, those before a kill included."""
        return sum(float(trial.user_attrs.get(_SECONDS, 0.0)) for trial in self.study.trials)

    def _settle_lost(self) -> None:
        """Fail the trial that a kill broke off; its journal says that it runs."""
        for trial in self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _is_spent(self) -> bool:
        told = len(self.study.trials)
        enough = self.options.trials is not None and told >= self.options.trials
        return enough or (told > 0 and self.spent_s() >= self.options.budget_s)

    def _best_loss(self) -> float | None:
        done = [trial.value for trial in self._completed()]
        return min((value for value in done if value is not None), default=None)

    def _completed(self) -> list[optuna.trial.FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))

    def _try(self, number: int) -> None:
        if number < len(self.options.families):  # every family has its say before any is refined
            self.study.enqueue_trial({_FAMILY: self.options.families[number]})
        # A seed for each trial: what a search proposes after a kill is what it would have proposed without.
        self.study.sampler = optuna.samplers.TPESampler(seed=self.options.seed + number)
        trial = self.study.ask()
        started = time.monotonic()
        state, loss = optuna.trial.TrialState.FAIL, None
        chosen = self._propose(trial)
        name, tags = f"trial-{trial.number}", {"mlflow.parentRunId": self.parent.id, "family": chosen.model.family}
        parameters = {"family": chosen.model.family, **chosen.model.options, **_fitting(chosen)}
        with self.registry.run(self.recipe.name, name, parameters=parameters, tags=tags) as run:
            try:
                loss = self._judge(chosen, started)
                state = optuna.trial.TrialState.COMPLETE
                run.log_metrics({"validation_loss": loss})
            except _TooLongError:
                state = optuna.trial.TrialState.PRUNED
            except FactoryError as exc:
                run.set_tags({"error": str(exc)})
            run.set_tags({"trial": state.name.lower()})
        trial.set_user_attr(_SECONDS, time.monotonic() - started)
        self.study.tell(trial, loss, state)

    def _propose(self, trial: optuna.Trial) -> Recipe:
        family = trial.suggest_categorical(_FAMILY, self.options.families)
        options = SPACES[family](trial, self.recipe.spec, self.options.season)
        settings: dict[str, Any] = {"seed": self.recipe.fitting.seed}
        if issubclass(families()[family], GradientForecaster):
            settings |= gradient_settings(trial)
        trial.set_user_attr("options", options)
        trial.set_user_attr("fitting", settings)
        return _with(self.recipe, family, options, settings)

    def _judge(self, recipe: Recipe, started: float) -> float:
        limit_s = LONGEST_SHARE * self.options.budget_s

        def watch(_: str, share: float) -> None:
            if share < 1 and time.monotonic() - started > limit_s:
                raise _TooLongError

        # Refitting on the validation window would let it judge what it has taught.
        blind = {"refit": False} if "refit" in families()[recipe.model.family].Settings.model_fields else {}
        torch.manual_seed(recipe.fitting.seed)
        model = build_forecaster(recipe.model.family, recipe.spec, recipe.model.options | blind)
        dataset = replace(self.dataset, recipe=recipe)
        windows = dataset.train(recipe.fitting.batch_size), dataset.validation()
        fit(model, *windows, recipe.fitting, watch)
        return _validation_loss(model, dataset)

    def _result(self) -> SearchResult:
        done = self._completed()
        if not done:
            message = (
                f"None of {len(self.study.trials)} trials came to an end within {self.options.budget_s:g} s. "
                "Raise budget_s, or search fewer families."
            )
            raise ModelError(message)
        best = min(done, key=lambda trial: trial.value if trial.value is not None else float("inf"))
        by_family: dict[str, float] = {}
        for trial in done:
            family = trial.params[_FAMILY]
            by_family[family] = min(by_family.get(family, float("inf")), float(trial.value or 0.0))
        chosen = _with(self.recipe, best.params[_FAMILY], best.user_attrs["options"], best.user_attrs["fitting"])
        return SearchResult(chosen, float(best.value or 0.0), len(self.study.trials), self.spent_s(), by_family)


class _TooLongError(Exception):
    """A trial has taken more than its share of the budget."""


def _with(recipe: Recipe, family: str, options: dict[str, Any], fitting: dict[str, Any]) -> Recipe:
    section = ModelSection(family=family, options=options)
    return recipe.model_copy(update={"model": section, "fitting": recipe.fitting.model_copy(update=fitting)})


def _fitting(recipe: Recipe) -> dict[str, Any]:
    return {f"fitting.{name}": getattr(recipe.fitting, name) for name in ("learning_rate", "batch_size", "seed")}


def _validation_loss(model: Forecaster, dataset: Dataset) -> float:
    """Return the mean absolute error of the median in units of each window's spread."""
    middle = dataset.recipe.spec.quantiles.index(0.5)
    total, count = 0.0, 0
    with torch.no_grad(), one_thread():
        for batch in dataset.validation():
            median = model(**batch.inputs)[..., middle]
            error = ((median - batch.target) / window_scale(batch.context)).abs()
            known = torch.isfinite(error)
            total += float(error[known].sum())
            count += int(known.sum())
    if not count:
        message = "The validation window holds no target to judge by. Widen it."
        raise ModelError(message)
    return total / count


def _silent(stage: str, share: float) -> None:
    """Report to nobody."""
