"""From a recipe and a fitted model to a backtest on one of the four windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from contracts import to_ms
from models.forecasting import build_forecaster
from training.dataset import Dataset
from training.evaluation import Predict, roll
from training.fitting import Progress, fit
from training.windows import WindowBatches

from .figures import Backtest, measure_backtest
from .naive import naive2, seasonal_scales

WINDOWS = ("train", "validation", "gate", "report")


def run_backtest(
    dataset: Dataset,
    predict: Predict,
    window: str = "gate",
    *,
    places: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Forecast from every origin of a window and measure it.

    Whoever asks for the report window writes that down first; see ``cityforge backtest``.

    Args:
        dataset: data and recipe.
        predict: a fitted model.
        window: one of :data:`WINDOWS`. ``train`` shows how well it fits, not how good it is.
        places: sign → its place and all places above it.
        progress: told how much is done.

    Raises:
        DataError: if the window has no origin or no target that can be judged.
    """
    windows = _windows(dataset, window)
    season, horizon = dataset.recipe.gates.season, dataset.recipe.spec.horizon
    told = _Counted(predict, len(windows), progress)
    rolled = roll(told, windows, season)
    yardsticks = np.concatenate([naive2(batch.context.numpy(), season, horizon) for batch in windows])
    train = dataset.recipe.windows.train
    span = (to_ms(train.start), to_ms(train.end))
    past = [one.values[slice(*(max(one.step(end), 0) for end in span))] for one in dataset.series]
    signs = [one.sign for one in dataset.series]
    return measure_backtest(rolled, yardsticks, seasonal_scales(past, season), signs, places)


def fit_recipe(dataset: Dataset, progress: Progress | None = None) -> tuple[Predict, dict[str, float | int | str]]:
    """Fit a recipe's model on its train and validation windows, for a backtest alone: nothing is registered.

    Returns:
        The model's answers, and what fitting chose.
    """
    recipe = dataset.recipe
    torch.manual_seed(recipe.fitting.seed)
    model = build_forecaster(recipe.model.family, recipe.spec, recipe.model.options)
    fit(model, dataset.train(recipe.fitting.batch_size), dataset.validation(), recipe.fitting, progress)

    def predict(feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        with torch.no_grad():
            answer: NDArray[np.float32] = model(
                **{name: torch.from_numpy(array) for name, array in feeds.items()}
            ).numpy()
        return answer

    return predict, model.describe()


def _windows(dataset: Dataset, window: str) -> WindowBatches:
    if window == "train":
        most = max(dataset.recipe.evaluation.targets // dataset.recipe.spec.horizon, 1)
        return dataset.train().thinned(most)
    windows: WindowBatches = {"validation": dataset.validation, "gate": dataset.gate, "report": dataset.report}[
        window
    ]()
    return windows


class _Counted:
    """A model that tells how many windows it was asked."""

    def __init__(self, predict: Predict, total: int, progress: Progress | None) -> None:
        self._predict, self._total, self._progress = predict, total, progress
        self._done = 0

    def __call__(self, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        answer = self._predict(feeds)
        self._done += len(answer)
        if self._progress is not None:
            self._progress("backtesting", self._done / self._total)
        return answer
