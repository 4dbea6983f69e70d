"""The vision demo's picture: what the camera saw, with boxes, above what was measured and what was warned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from contracts import Episode

from .demo_picture import BAND_COLOUR, FLOW_COLOUR, LEVEL_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Shown = tuple[datetime, Path, Sequence[Mapping[str, Any]]]
BOX_COLOURS = {"standing_water": "#26c6da", "overflowing_bin": "#e65adf", "vehicle": "#ffd54a"}
LABELS = {"standing_water": "积水 water", "overflowing_bin": "满溢 bin", "vehicle": "车辆 vehicle"}
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Track:
    """One sign over time."""

    title: str
    unit: str
    times: Sequence[datetime]
    values: Sequence[float]


def draw_watch(path: Path, tracks: Sequence[Track], shown: Sequence[Shown], episodes: Sequence[Episode]) -> Path:
    """Draw the figure as PNG and return its path.

    Args:
        path: where to write.
        tracks: readings of every sign.
        shown: time, picture and boxes of a few frames.
        episodes: what was warned.
    """
    import matplotlib as mpl  # deferred: drawing alone needs it, and it costs a second
    from matplotlib import pyplot as plt  # deferred: as above

    from training import use_chinese_font  # deferred: loads torch's room only when drawing

    mpl.use("Agg")
    use_chinese_font()
    rows = -(-len(shown) // _COLUMNS)
    figure = plt.figure(figsize=(13, 3.3 * rows + 1.3 * len(tracks) + 1.6), constrained_layout=True, dpi=120)
    above, below = figure.subfigures(2, 1, height_ratios=(3.3 * rows, 1.3 * len(tracks) + 1.4))
    for axis, frame in zip(np.ravel(above.subplots(rows, _COLUMNS)), shown, strict=False):
        _draw_frame(axis, frame)
    above.suptitle("绘制画面，非真实地点 · drawn pictures, no real place · cityforge demo --vision", fontsize=13)
    ratios = [*[1.0] * len(tracks), 1.2]
    axes = np.ravel(below.subplots(len(tracks) + 1, 1, sharex=True, height_ratios=ratios))
    for axis, track in zip(axes, tracks, strict=False):
        _draw_track(axis, track, episodes)
    _draw_episodes(axes[-1], episodes, end=max(time for track in tracks for time in track.times))
    figure.savefig(path)
    plt.close(figure)
    return path


def _draw_frame(axis: Axes, frame: Shown) -> None:
    from matplotlib.patches import Rectangle  # deferred: as above

    time, path, boxes = frame
    pixels = np.asarray(Image.open(path))
    height, width = pixels.shape[:2]
    axis.imshow(pixels)
    for found in boxes:
        left, top, right, bottom = np.array(found["box"]) * [width, height, width, height]
        colour = BOX_COLOURS[found["label"]]
        axis.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=colour, lw=2))
        words = f"{LABELS[found['label']]} {found['score']:.2f}"
        axis.text(left, max(8, top - 4), words, color="black", fontsize=7, bbox={"fc": colour, "ec": "none", "pad": 1})
    axis.set_title(f"{time:%H:%M} UTC", fontsize=9, loc="left")
    axis.axis("off")


def _draw_track(axis: Axes, track: Track, episodes: Sequence[Episode]) -> None:
    from matplotlib.dates import date2num  # deferred: as above

    times = date2num(list(track.times))
    axis.step(times, track.values, where="post", color=FLOW_COLOUR, lw=1.3)
    axis.fill_between(times, track.values, step="post", color=BAND_COLOUR, alpha=0.25, lw=0)
    axis.axhline(0, color="#c9d2da", lw=0.8)
    for episode in episodes:
        axis.axvline(float(date2num(episode.opened_at)), color=LEVEL_COLOURS[episode.peak_level], lw=1, alpha=0.7)
    axis.set_ylabel(track.unit, fontsize=8)
    axis.set_title(track.title, fontsize=9, loc="left", pad=2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)


def _draw_episodes(axis: Axes, episodes: Sequence[Episode], *, end: datetime) -> None:
    """Draw one lane for each risk: bars in the colour of the level that it had from then on."""
    from matplotlib.dates import DateFormatter, date2num  # deferred: as above

    titles = {episode.risk: f"{episode.title.zh} {episode.title.en}" for episode in reversed(episodes)}
    for lane, (risk, title) in enumerate(titles.items()):
        for episode in (episode for episode in episodes if episode.risk == risk):
            start, stop = date2num(episode.opened_at), date2num(episode.closed_at or end)
            colour = LEVEL_COLOURS[episode.peak_level]
            axis.plot([start, stop], [lane, lane], color=colour, lw=9, solid_capstyle="butt")
        axis.text(0.002, lane + 0.42, title, transform=axis.get_yaxis_transform(), fontsize=8, va="center")
    axis.set_ylim(-0.6, max(len(titles), 1) - 0.1)
    axis.set_yticks([])
    axis.set_ylabel("预警\nepisodes", fontsize=8)
    axis.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axis.set_xlabel("UTC", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
