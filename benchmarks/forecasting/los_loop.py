"""Los-loop (Zhao et al., 2020, T-GCN): speeds of 207 loop detectors, 15 to 60 minutes ahead; RMSE and MAE.

As T-GCN scores it: the first 80 % of the steps are known, windows of 12 steps and the horizon lie within the rest, and
a figure for 30 minutes is over all six steps up to it. T-GCN takes its best epoch by the test data; we choose on the
last fifth of what is known. ``rmse_at_*`` is over the last step alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import CalendarFeature, CalendarSpec, ForecastSpec, to_ms
from training import NetworkWindows, Series

from .champion import Champion, Fitted, fit_champion, measure_asking
from .protocol import Benchmark, Figures, ProtocolError, check_baseline, data_file

CONTEXT = 12
MINUTES = {15: 3, 30: 6, 45: 9, 60: 12}
"""Minutes ahead → steps of five minutes."""
INTERVAL_S = 300
SPLIT = 0.8
VALIDATION = 0.2
"""Share of what is known that chooses."""
START = datetime(2012, 3, 1, 8, tzinfo=UTC)
"""Midnight of 1 March 2012 in Los Angeles."""

PUBLISHED_AVERAGE = {"average_rmse": 7.4427, "average_mae": 4.0145}
"""Historical average in Zhao et al., 2020, the same for every horizon there. It comes out as the mean of 15 steps, one
step ahead."""
AVERAGED_STEPS = 15

CHAMPION = Champion("graph_linear", {})
NEURAL = Champion(
    "tgcn",
    {"width": 32, "hour_harmonics": 4},
    {"epochs": 12, "steps_per_epoch": 40, "batch_size": 16, "learning_rate": 5e-3, "weight_decay": 0.0},
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds los_loop/los_speed.csv")
    parser.add_argument("--file", type=Path, help="other speeds: a heading, then a row a step, a column a detector")
    parser.add_argument("--adjacency", type=Path, help="the adjacency of --file: no heading, a row a detector")
    parser.add_argument("--split", type=float, default=SPLIT, help="share of the steps that is known (default 0.8)")
    parser.add_argument("--tgcn", action="store_true", help="fit T-GCN as well, five seeds of it (minutes)")


def measure(arguments: argparse.Namespace) -> Figures:
    """Return all figures."""
    roads = Roads.read(arguments)
    average = measure_average(roads)
    if arguments.file is None and arguments.split == SPLIT:
        check_baseline(PUBLISHED_AVERAGE, average)
    champion = fit_roads(CHAMPION, roads, seed=0)
    figures: Figures = {**score_roads(champion, roads), **average}
    figures |= {f"last_value_{name}": value for name, value in score_last_value(roads).items()}
    figures |= {f"chosen_{name}": value for name, value in champion.forecaster.describe().items()}
    figures |= {"fit_s": champion.fit_s, "parity": champion.parity}
    figures["predict_1_ms"] = measure_asking(champion, roads.windows(roads.test_steps(12)[:1]).take(np.arange(1)))
    if arguments.tgcn:
        figures |= measure_seeds(NEURAL, roads)
    return figures


@dataclass(frozen=True, slots=True, eq=False)
class Roads:
    """Speeds of a road network, and which are known.

    Attributes:
        speeds: shape ``(time, series)``.
        edges: (from, to, weight).
        known: steps before the test.
    """

    speeds: NDArray[np.float32]
    edges: tuple[tuple[int, int, float], ...]
    known: int

    @classmethod
    def read(cls, arguments: argparse.Namespace) -> Roads:
        """Read speeds and adjacency.

        Raises:
            ProtocolError: if a file is missing, holds something that is no number, or they do not fit together.
        """
        path = data_file(arguments, "los_loop", "los_speed.csv")
        beside = arguments.adjacency or path.with_name("los_adj.csv")
        try:
            speeds = np.genfromtxt(path, delimiter=",", skip_header=1, dtype=np.float32)
            links = np.genfromtxt(beside, delimiter=",")
        except (OSError, ValueError) as exc:
            message = f"{str(path)!r} or {str(beside)!r} cannot be read: {exc}."
            raise ProtocolError(message) from exc
        if links.shape != (speeds.shape[1],) * 2 or not np.isfinite(links).all() or not 0 < arguments.split < 1:
            message = f"{speeds.shape[1]} detectors need an adjacency of that size, was {links.shape}; split in (0, 1)."
            raise ProtocolError(message)
        edges = tuple((int(j), int(i), float(links[i, j])) for i, j in np.argwhere(links > 0) if i != j)
        return cls(speeds, edges, int(len(speeds) * arguments.split))

    @property
    def spec(self) -> ForecastSpec:
        """What is forecast: an hour in steps of five minutes."""
        calendar = CalendarSpec(
            timezone="America/Los_Angeles",
            country=None,
            features=(CalendarFeature.HOUR_SIN, CalendarFeature.HOUR_COS),
        )
        return ForecastSpec(
            context=CONTEXT,
            horizon=max(MINUTES.values()),
            interval_s=INTERVAL_S,
            quantiles=(0.05, 0.5, 0.95),
            unit="mph",
            calendar=calendar,
            series=self.speeds.shape[1],
        )

    def windows(self, steps: NDArray[np.int64]) -> NetworkWindows:
        """Return windows by the steps of their first targets; beyond the end targets are missing."""
        tail = np.full((max(MINUTES.values()), self.speeds.shape[1]), np.nan, dtype=np.float32)
        padded = np.concatenate([self.speeds, tail])
        series = [Series(str(i), to_ms(START), INTERVAL_S, padded[:, i].copy()) for i in range(padded.shape[1])]
        return NetworkWindows(series, self.spec, steps)

    def test_steps(self, horizon: int) -> NDArray[np.int64]:
        """Return the first targets of T-GCN's test windows; its last window is left out there as well."""
        return np.arange(self.known + CONTEXT, len(self.speeds) - horizon)


def fit_roads(champion: Champion, roads: Roads, seed: int) -> Fitted:
    """Fit a model; the last fifth of what is known chooses."""
    spec, first = roads.spec, int(roads.known * (1 - VALIDATION))
    train = roads.windows(np.arange(CONTEXT, first - spec.horizon + 1))
    validation = roads.windows(np.arange(first, roads.known - spec.horizon + 1))
    train.batch_size = int(champion.fitting.get("batch_size", train.batch_size))
    settings = Champion(champion.family, {**champion.options, "edges": roads.edges}, champion.fitting)
    return fit_champion(settings, spec, train, validation, seed)


def score_roads(fitted: Fitted, roads: Roads) -> dict[str, float]:
    """Return RMSE and MAE up to each horizon, and at it."""
    steps = roads.test_steps(1)
    windows = roads.windows(steps)
    middle = roads.spec.quantiles.index(0.5)
    forecast = np.concatenate([fitted.ask(batch)[..., middle] for batch in windows])
    return _score(forecast, roads)


def score_last_value(roads: Roads) -> dict[str, float]:
    """Return the figures of the last reading, held."""
    last = roads.speeds[roads.test_steps(1) - 1]
    return _score(np.repeat(last[:, :, None], roads.spec.horizon, 2), roads)


def measure_average(roads: Roads) -> dict[str, float]:
    """Return T-GCN's published baseline: the mean of the last 15 steps, one step ahead."""
    steps = np.arange(roads.known + AVERAGED_STEPS, len(roads.speeds) - 1)
    mean = np.mean([roads.speeds[steps - lag] for lag in range(1, AVERAGED_STEPS + 1)], 0, dtype=np.float64)
    error = roads.speeds[steps] - mean
    return {"average_rmse": float(np.sqrt(np.nanmean(error**2))), "average_mae": float(np.nanmean(np.abs(error)))}


def measure_seeds(champion: Champion, roads: Roads, seeds: int = 5) -> Figures:
    """Return mean and spread of a gradient family's figures over seeds."""
    runs = [score_roads(fit_roads(champion, roads, seed), roads) for seed in range(seeds)]
    figures: Figures = {}
    for name in (f"rmse_{minutes}" for minutes in MINUTES):
        values = [run[name] for run in runs]
        figures[f"{champion.family}_{name}"] = float(np.mean(values))
        figures[f"{champion.family}_{name}_spread"] = float(np.std(values, ddof=1))
    return figures


def _score(forecast: NDArray[np.float32], roads: Roads) -> dict[str, float]:
    figures = {}
    for name, horizon in MINUTES.items():
        steps = roads.test_steps(horizon)
        actual = np.stack([roads.speeds[steps + ahead] for ahead in range(horizon)], 2)  # (window, series, horizon)
        error = forecast[: len(steps), :, :horizon].astype(np.float64) - actual
        figures[f"rmse_{name}"] = float(np.sqrt(np.nanmean(error**2)))
        figures[f"mae_{name}"] = float(np.nanmean(np.abs(error)))
        figures[f"rmse_at_{name}"] = float(np.sqrt(np.nanmean(error[:, :, -1] ** 2)))
    return figures


BENCHMARK = Benchmark("Speeds of 207 detectors of Los-loop, or files of the same shape", configure, measure)
