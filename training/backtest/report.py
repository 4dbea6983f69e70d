"""A backtest for people: one HTML page, its plots as PNG beside it, its tables as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jinja2
import matplotlib.axes
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from contracts import DataError
from training.dataset import Dataset
from training.evaluation import score
from training.plots import plot_evaluation, use_chinese_font

from .figures import Backtest

SHOWN_SERIES = 50


def write_report(
    folder: Path, dataset: Dataset, backtest: Backtest, window: str, *, openings: Sequence[dict[str, str]] = ()
) -> Path:
    """Write ``report.html``, its plots and ``by_series.csv``, ``by_horizon.csv`` and ``by_place.csv``.

    Args:
        folder: made if it is not there; files of an earlier report in it are replaced.
        dataset: data and recipe.
        backtest: what was measured.
        window: which window.
        openings: of the report window so far, each with ``time``, ``actor`` and ``model``.

    Returns:
        The page.

    Raises:
        DataError: if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"by_series": backtest.by_series, "by_horizon": backtest.by_horizon, "by_place": backtest.by_place}
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv")
        plots = _plot(folder, dataset, backtest)
        page = folder / "report.html"
        page.write_text(_render(dataset, backtest, window, plots, openings), encoding="utf-8")
    except OSError as exc:
        message = f"The report cannot be written to {str(folder)!r}: {exc}. Give a folder that can be written to."
        raise DataError(message) from exc
    return page


def _render(
    dataset: Dataset, backtest: Backtest, window: str, plots: list[str], openings: Sequence[dict[str, str]]
) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["figure"] = lambda value: f"{value:.4g}" if isinstance(value, float) else value
    template = environment.from_string((files("training.backtest") / "report.html.j2").read_text(encoding="utf-8"))
    worst = backtest.by_series.sort_values("mase", ascending=False).head(SHOWN_SERIES)
    rest = len(backtest.by_series) - len(worst)
    note = f"The {SHOWN_SERIES} with the greatest MASE; {rest} more in by_series.csv." if rest else ""
    tables = [("步长 By step", backtest.by_horizon, ""), ("体征 By sign", worst, note)]
    if len(backtest.by_place):
        tables.append(("地点 By place", backtest.by_place, "Means over the signs at a place and below it."))
    span = getattr(dataset.recipe.windows, window)
    return template.render(
        title=f"{dataset.recipe.name}: 回测 backtest",
        window=window,
        start=span.start.isoformat(),
        end=span.end.isoformat(),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z",
        signs=len(backtest.by_series),
        origins=backtest.origins,
        targets=backtest.targets,
        pooled=backtest.pooled,
        level=backtest.level,
        plots=plots,
        tables=tables,
        openings=list(openings),
    )


def _plot(folder: Path, dataset: Dataset, backtest: Backtest) -> list[str]:
    use_chinese_font()
    names = [path.name for path in plot_evaluation(dataset, backtest.rolled, score(backtest.rolled), folder)]
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes: matplotlib.axes.Axes = figure.add_subplot()
    _draw_spread(axes, backtest.by_series)
    figure.savefig(folder / "mase_by_sign.png", dpi=110)
    return [*names, "mase_by_sign.png"]


def _draw_spread(axes: matplotlib.axes.Axes, by_series: pd.DataFrame) -> None:
    ordered = np.sort(by_series["mase"].dropna().to_numpy())
    axes.plot(ordered, np.arange(1, len(ordered) + 1) / max(len(ordered), 1), color="#2171b5", marker=".")
    axes.axvline(1.0, color="#333333", lw=0.8, ls="--", label="季节朴素 seasonal naive, in sample")
    axes.set_title("各体征的 MASE 分布 MASE of the signs")
    axes.set_xlabel("MASE")
    axes.set_ylabel("不超过的体征比例 share of signs at or below")
    axes.legend(loc="best")
    axes.grid(alpha=0.3)
