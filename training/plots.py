"""Plots of an evaluation as PNG, labelled in Chinese and English."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contracts import DataError, from_ms

from .dataset import Dataset
from .evaluation import RollingForecasts, Scores
from .series import MILLISECONDS_PER_S

FONT_FILE = "NotoSansCJKsc-Regular.otf"
_BAND, _LINE, _ACTUAL = "#9ecae1", "#2171b5", "#333333"


@lru_cache(maxsize=1)
def use_chinese_font() -> str:
    """Make matplotlib render Chinese labels; return the family's name.

    The font comes with the package mplfonts, so that labels look alike on every machine.

    Raises:
        DataError: if the font is not installed.
    """
    path = files("mplfonts") / "fonts" / FONT_FILE
    if not path.is_file():
        message = f"mplfonts holds no font {FONT_FILE!r}. Install it with `pip install 'cityforge[training]'`."
        raise DataError(message)
    font_manager.fontManager.addfont(str(path))
    family = font_manager.FontProperties(fname=str(path)).get_name()
    mpl.rcParams["font.family"] = [family, "DejaVu Sans"]
    mpl.rcParams["axes.unicode_minus"] = False
    return family


def plot_evaluation(dataset: Dataset, rolled: RollingForecasts, scores: Scores, folder: Path) -> list[Path]:
    """Write the three plots of an evaluation: forecast band, error by horizon, calibration.

    Args:
        dataset: gives readings and times.
        rolled: forecasts from every origin.
        scores: of those forecasts.
        folder: where the files go.

    Returns:
        The paths written.
    """
    use_chinese_font()
    band, errors, calibration = (Figure(figsize=(10, 4.5), layout="constrained") for _ in range(3))
    _draw_band(_axes(band), dataset, rolled)
    _draw_errors(_axes(errors), scores)
    _draw_calibration(_axes(calibration), rolled)
    figures = {"forecast_band": band, "error_by_horizon": errors, "calibration": calibration}
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    return [folder / f"{name}.png" for name in figures]


def _axes(figure: Figure) -> Axes:
    axes: Axes = figure.add_subplot()
    return axes


def _draw_band(axes: Axes, dataset: Dataset, rolled: RollingForecasts) -> None:
    horizon = rolled.quantiles.shape[1]
    series = dataset.series[0]
    own = np.flatnonzero(rolled.series == 0)
    steps = rolled.steps[own] + horizon - 1
    interval_ms = series.interval_s * MILLISECONDS_PER_S
    times = [from_ms(series.start_ms + int(step) * interval_ms) for step in steps]
    axes.fill_between(times, rolled.low[own, -1], rolled.high[own, -1], color=_BAND, label="90 % 区间 interval")  # type: ignore[arg-type]
    axes.plot(times, rolled.median[own, -1], color=_LINE, lw=1.2, label="预测中位数 median")  # type: ignore[arg-type]
    axes.plot(times, series.values[steps], color=_ACTUAL, lw=0.9, label="实测 measured")  # type: ignore[arg-type]
    lead = timedelta(seconds=horizon * series.interval_s)
    axes.set_title(f"{dataset.recipe.name}: 提前 {lead} 的滚动预测 rolling forecast, {horizon} steps ahead")
    axes.set_xlabel("时间 time (UTC)")
    axes.set_ylabel(f"数值 value ({dataset.recipe.data.unit})")
    axes.tick_params(axis="x", rotation=20)
    axes.legend(loc="best")
    axes.grid(alpha=0.3)


def _draw_errors(axes: Axes, scores: Scores) -> None:
    steps = np.arange(1, len(scores.by_horizon["mae"]) + 1)
    for name, label in (
        ("mae", "模型 model"),
        ("mae_last_value", "末值 last value"),
        ("mae_seasonal_naive", "季节朴素 seasonal naive"),
    ):
        axes.plot(steps, scores.by_horizon[name], marker="o", label=label)
    axes.set_title("各步长的平均绝对误差 mean absolute error by step")
    axes.set_xlabel("提前步数 steps ahead")
    axes.set_ylabel("MAE")
    axes.legend(loc="best")
    axes.grid(alpha=0.3)


def _draw_calibration(axes: Axes, rolled: RollingForecasts) -> None:
    known = np.isfinite(rolled.actual) & np.isfinite(rolled.median)
    shares = [float((rolled.actual <= rolled.quantiles[:, :, i])[known].mean()) for i in range(len(rolled.levels))]
    axes.plot([0, 1], [0, 1], color=_ACTUAL, lw=0.8, ls="--", label="理想 ideal")
    axes.plot(rolled.levels, shares, marker="o", color=_LINE, label="实际 observed")
    axes.set_title("校准 calibration")
    axes.set_xlabel("名义概率 nominal probability")
    axes.set_ylabel("实际不超过的比例 observed share at or below")
    axes.legend(loc="best")
    axes.grid(alpha=0.3)
