"""ETTh1 (Zhou et al., 2021): MSE and MAE at 96, 192, 336 and 720 hours, standardised, standard split, full test."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import ForecastSpec
from training import Origins, Series, SeriesBuffer, WindowBatches

from .champion import Champion, Fitted, fit_champion, measure_asking
from .protocol import Benchmark, Figures, ProtocolError, check_baseline, data_file

HORIZONS = (96, 192, 336, 720)
STANDARD_SPLIT = (8640, 2880, 2880)

PUBLISHED_REPEAT = {
    **{"repeat_mse_96": 1.295, "repeat_mse_192": 1.325, "repeat_mse_336": 1.323, "repeat_mse_720": 1.339},
    **{"repeat_mae_96": 0.713, "repeat_mae_192": 0.733, "repeat_mae_336": 0.744, "repeat_mae_720": 0.756},
}
"""The last value repeated: Zeng et al., 2023, "Are Transformers Effective for Time Series Forecasting?", table 2. The
table was made in batches of 32 whose incomplete last one was dropped."""
DROPPED_BATCH = 32

CONTEXT = 720
_RIDGE = {
    "look_backs": [336, 504, 720],
    "penalties": [0.03, 0.3, 3.0],
    "criterion": "mse",
    "blend": 5,
    "centred": True,
    "refit": False,
}
CHAMPION = Champion(
    "ensemble",
    {"members": [{"family": "ridge", "options": {**_RIDGE, "scaled": scaled}} for scaled in (False, True)]},
)
MISSING = 0.3
"""Share of readings that are struck out to see what missing values cost."""
MISSING_CHAMPION = Champion("ridge", {"look_backs": [336], "centred": True, "refit": False, "season": 24})
ONE_HORIZON = 96


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds etth1/ETTh1.csv")
    parser.add_argument("--file", type=Path, help="another file of the same shape: a date column, then numbers")
    parser.add_argument("--split", type=_parse_split, help="rows of train/validation/test, such as 8640/2880/2880")


def measure(arguments: argparse.Namespace) -> Figures:
    """Return all figures."""
    table = Table.read(data_file(arguments, "etth1", "ETTh1.csv"), arguments.split or STANDARD_SPLIT)
    if arguments.file is None and arguments.split is None:
        check_baseline(PUBLISHED_REPEAT, measure_repeat(table, DROPPED_BATCH))
    figures: Figures = {**measure_repeat(table)}
    scores = [measure_horizon(table, horizon) for horizon in HORIZONS]
    for horizon, score in zip(HORIZONS, scores, strict=True):
        figures |= {f"{name}_{horizon}": value for name, value in score.items()}
    averages = {f"{name}_avg": float(np.mean([score[name] for score in scores])) for name in scores[0]}
    return {**figures, **averages, **measure_missing(table)}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Standardised series with their split.

    Attributes:
        values: shape ``(time, series)``, in units of the train rows' standard deviation, from their mean.
        train_end: rows of train.
        validation_end: first row after validation.
        test_end: first row after test.
    """

    values: NDArray[np.float64]
    train_end: int
    validation_end: int
    test_end: int

    @classmethod
    def read(cls, path: Path, split: tuple[int, int, int]) -> Table:
        """Read a CSV whose first column is the date.

        Raises:
            ProtocolError: if it has fewer rows than the split or holds something that is no number.
        """
        try:
            values = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]
        except (OSError, ValueError, IndexError) as exc:
            message = f"{str(path)!r} cannot be read: {exc}. Give a CSV with a date column and columns of numbers."
            raise ProtocolError(message) from exc
        ends = np.cumsum(split)
        if len(values) < ends[-1] or not np.isfinite(values).all():
            message = f"{str(path)!r} has {len(values)} rows for a split of {split}, or cells that are no number."
            raise ProtocolError(message)
        train = values[: ends[0]]
        return cls((values - train.mean(0)) / train.std(0), *(int(end) for end in ends))

    def windows(self, horizon: int, context: int = CONTEXT, missing: float = 0.0) -> tuple[WindowBatches, ...]:
        """Return train, validation and test windows.

        Args:
            horizon: steps that are forecast.
            context: steps that are seen; windows of train lie in the train rows, others look back beyond theirs.
            missing: share of the readings that are struck out at random, in the targets of the test alone not.
        """
        spec = ForecastSpec(context=context, horizon=horizon, interval_s=3600, quantiles=(0.05, 0.5, 0.95))
        struck = np.random.default_rng(0).random(self.values.shape) < missing
        seen = SeriesBuffer(_as_series(np.where(struck, np.nan, self.values)), spec)
        whole = SeriesBuffer(_as_series(self.values), spec)
        starts = (context, self.train_end, self.validation_end)
        ends = (self.train_end, self.validation_end, self.test_end)
        return tuple(
            WindowBatches(
                seen,
                whole if start == self.validation_end else seen,
                [Origins(number, start, end - horizon) for number in range(self.values.shape[1])],
            )
            for start, end in zip(starts, ends, strict=True)
        )

    def targets(self, horizon: int) -> NDArray[np.float64]:
        """Return every full window of the test rows, shape ``(origin, series, horizon)``."""
        test = self.values[self.validation_end : self.test_end]
        return np.lib.stride_tricks.sliding_window_view(test, horizon, 0)


def measure_repeat(table: Table, batch: int = 1) -> dict[str, float]:
    """Return MSE and MAE of the last value repeated, windows beyond the last whole batch left out."""
    figures = {}
    for horizon in HORIZONS:
        targets = table.targets(horizon)
        targets = targets[: len(targets) // batch * batch]
        last = table.values[table.validation_end - 1 :][: len(targets), :, None]
        error = targets - last
        figures[f"repeat_mse_{horizon}"] = float(np.square(error).mean())
        figures[f"repeat_mae_{horizon}"] = float(np.abs(error).mean())
    return figures


def measure_horizon(table: Table, horizon: int) -> dict[str, float]:
    """Return the champion's figures at a horizon, those with the incomplete last batch dropped beside them."""
    train, validation, test = table.windows(horizon)
    fitted = fit_champion(CHAMPION, test.spec, train, validation)
    errors = _errors(fitted, test).reshape(table.values.shape[1], -1, horizon)  # (series, origin, horizon)
    dropped = errors[:, : errors.shape[1] // DROPPED_BATCH * DROPPED_BATCH]
    return {
        "mse": float(np.square(errors).mean()),
        "mae": float(np.abs(errors).mean()),
        "drop_last_mse": float(np.square(dropped).mean()),
        "drop_last_mae": float(np.abs(dropped).mean()),
        "validation_mse": float(np.square(_errors(fitted, validation)).mean()),
        "fit_s": fitted.fit_s,
        "parity": fitted.parity,
        "predict_1_ms": measure_asking(fitted, test.take(np.arange(1))),
    }


def measure_missing(table: Table) -> Figures:
    """Return what it costs when 30 % of the readings are missing, in fitting and in asking; test targets are full."""
    maes = []
    for share in (0.0, MISSING):
        train, validation, test = table.windows(ONE_HORIZON, 336, share)
        fitted = fit_champion(MISSING_CHAMPION, test.spec, train, validation)
        maes.append(float(np.abs(_errors(fitted, test)).mean()))
    return {"missing_30_mae": maes[1], "missing_30_mae_ratio": maes[1] / maes[0]}


def _errors(fitted: Fitted, windows: WindowBatches) -> NDArray[np.float64]:
    """Return actual less forecast of every window, shape ``(window, horizon)``."""
    parts = [batch.target.numpy() - fitted.ask(batch)[:, :, 1].astype(np.float64) for batch in windows]
    return np.concatenate(parts)


def _as_series(values: NDArray[np.float64]) -> list[Series]:
    return [Series(str(i), 0, 3600, values[:, i].astype(np.float32)) for i in range(values.shape[1])]


def _parse_split(text: str) -> tuple[int, int, int]:
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):  # noqa: PLR2004 - three windows
        message = f"must be three numbers of rows such as 8640/2880/2880, was {text!r}"
        raise argparse.ArgumentTypeError(message)
    train, validation, test = (int(part) for part in parts)
    return train, validation, test


BENCHMARK = Benchmark(
    "Long horizons on seven series of a transformer station, or on a file of the same shape", configure, measure
)
