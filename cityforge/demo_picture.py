"""The demo's picture: flow, forecast band and episodes on one time axis.

Not a plotting library: one figure, drawn from what the public endpoints answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contracts import Episode, Level, from_ms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL_COLOURS = {
    Level.GREY: "#8a8f98",
    Level.BLUE: "#2f6fde",
    Level.YELLOW: "#e0b000",
    Level.ORANGE: "#ee7d11",
    Level.RED: "#d3222a",
}
FLOW_COLOUR = "#17324d"
BAND_COLOUR = "#5aa9c4"


@dataclass(frozen=True, slots=True, eq=False)
class ReplayCurves:
    """What the figure draws.

    Attributes:
        title: Chinese and English name of the sign.
        unit: unit of the values.
        times_ms: event times, shape ``(time,)``.
        values: readings, NaN where missing, shape ``(time,)``.
        band_times_ms: event times of the band, shape ``(step,)``.
        band: lower bound, median and upper bound of the forecast, shape ``(step, 3)``.
        band_label: what the band is.
    """

    title: str
    unit: str
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    band_times_ms: NDArray[np.int64]
    band: NDArray[np.float64]
    band_label: str


def draw_replay(path: Path, curves: ReplayCurves, episodes: Sequence[Episode]) -> Path:
    """Draw the figure as PNG and return its path.

    Args:
        path: where to write.
        curves: readings and forecast band.
        episodes: what was warned, grey ones included.
    """
    import matplotlib as mpl  # deferred: drawing alone needs it, and it costs a second
    import matplotlib.dates as mdates  # deferred: as above
    from matplotlib import pyplot as plt  # deferred: as above

    from training import use_chinese_font  # deferred: loads torch's room only when drawing

    mpl.use("Agg")
    use_chinese_font()
    figure, axes = plt.subplots(
        3, 1, figsize=(13, 8), sharex=True, height_ratios=(3, 3, 1.1), constrained_layout=True, dpi=130
    )
    _draw_curves(axes[0], curves, episodes)
    axes[0].set_title(f"{curves.title}  ·  cityforge demo", loc="left", fontsize=14, pad=12)
    axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=9)
    _draw_curves(axes[1], curves, episodes)
    low, high = np.nanpercentile(curves.values, (4, 99.9))
    margin = 0.6 * (high - low)
    axes[1].set_ylim(low - margin, high + margin)
    axes[1].set_ylabel(f"{curves.unit}\n(放大 zoom)")
    _draw_lanes(axes[2], episodes, end_ms=int(curves.times_ms[-1]))
    axes[2].xaxis.set_major_locator(mdates.DayLocator(interval=3))
    axes[2].xaxis.set_major_formatter(mdates.DateFormatter("%m-%d"))
    axes[2].set_xlabel("UTC")
    figure.savefig(path)
    plt.close(figure)
    return path


def _draw_curves(axis: Axes, curves: ReplayCurves, episodes: Sequence[Episode]) -> None:
    band_times = _dates(curves.band_times_ms)
    axis.fill_between(
        band_times, curves.band[:, 0], curves.band[:, 2], color=BAND_COLOUR, alpha=0.3, lw=0, label=curves.band_label
    )
    axis.plot(band_times, curves.band[:, 1], color=BAND_COLOUR, lw=0.8, label="预测中位数 forecast median")
    axis.plot(_dates(curves.times_ms), curves.values, color=FLOW_COLOUR, lw=1.2, label="实测 measured")
    for episode in episodes:
        start, end = _span(episode, end_ms=int(curves.times_ms[-1]))
        axis.axvspan(start, end, color=LEVEL_COLOURS[episode.peak_level], alpha=0.16, lw=0)
    axis.set_ylabel(curves.unit)
    axis.grid(axis="y", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_lanes(axis: Axes, episodes: Sequence[Episode], *, end_ms: int) -> None:
    """Draw one lane for each risk, each episode as a bar in the colour of its gravest level."""
    titles: dict[str, str] = {episode.risk: episode.title.zh for episode in reversed(episodes)}
    for lane, (risk, title) in enumerate(titles.items()):
        for episode in (episode for episode in episodes if episode.risk == risk):
            start, end = _span(episode, end_ms=end_ms)
            axis.plot(
                [start, end],
                [lane, lane],
                color=LEVEL_COLOURS[episode.peak_level],
                lw=9,
                solid_capstyle="butt",
            )
        axis.text(0.002, lane + 0.42, title, transform=axis.get_yaxis_transform(), fontsize=8, va="center")
    axis.set_ylim(-0.6, max(len(titles), 1) - 0.2)
    axis.set_yticks([])
    axis.set_ylabel("预警\nepisodes")
    axis.spines[["top", "right"]].set_visible(False)


def _span(episode: Episode, *, end_ms: int) -> tuple[float, float]:
    """Return opening and closing in matplotlib's days; an open episode lasts to the end."""
    from matplotlib.dates import date2num  # deferred: as above

    return float(date2num(episode.opened_at)), float(date2num(episode.closed_at or from_ms(end_ms)))


def _dates(times_ms: NDArray[np.int64]) -> Any:  # matplotlib reads datetime64 as UTC
    return times_ms.astype("datetime64[ms]")
