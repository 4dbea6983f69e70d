"""Fits and asks the peers in their own environment: ``python peer_worker.py JOB.npz RESULT.npz BUDGET_S``.

Runs with none of our packages. A job holds series of unequal length behind each other (``values``, ``lengths``), the
``horizon``, the ``season`` and the ``context``. For each peer the result holds its forecast and its times. Neural peers
are stopped when the time budget is spent; other settings are the library's own.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ASKED = 5
"""How often a peer is asked; the median counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What is forecast.

    Attributes:
        series: each of its own length.
        horizon: steps ahead.
        season: steps of a season.
        context: steps that models see.
        budget_s: seconds that fitting may take.
    """

    series: list[NDArray[np.float32]]
    horizon: int
    season: int
    context: int
    budget_s: float

    def frame(self, count: int | None = None) -> pd.DataFrame:
        """Return the long table that the Nixtla libraries take."""
        parts = [
            pd.DataFrame({"unique_id": f"{number:05d}", "ds": np.arange(len(one)), "y": one.astype(np.float64)})
            for number, one in enumerate(self.series[:count])
        ]
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came of a peer: its forecast ``(series, horizon)`` and its times."""

    forecast: NDArray[np.float64]
    fit_s: float
    predict_all_ms: float
    predict_1_ms: float


def neuralforecast_nhits(job: Job) -> Answer:
    """Fit neuralforecast's N-HiTS."""
    from neuralforecast.models import NHITS

    return _ask_neuralforecast(job, NHITS)


def neuralforecast_dlinear(job: Job) -> Answer:
    """Fit neuralforecast's DLinear."""
    from neuralforecast.models import DLinear

    return _ask_neuralforecast(job, DLinear)


def darts_nlinear(job: Job) -> Answer:
    """Fit darts' NLinear on series scaled to [0, 1]."""
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import NLinearModel

    scaler = Scaler()
    series = scaler.fit_transform([TimeSeries.from_values(one) for one in job.series])
    model = NLinearModel(
        input_chunk_length=job.context,
        output_chunk_length=job.horizon,
        n_epochs=100,
        batch_size=1024,
        random_state=0,
        pl_trainer_kwargs=_trainer(job.budget_s),
    )
    started = time.perf_counter()
    model.fit(series)
    fit_s = time.perf_counter() - started
    forecast, all_ms = _time(lambda: model.predict(job.horizon, series, verbose=False))
    _, one_ms = _time(lambda: model.predict(job.horizon, series[:1], verbose=False))
    restored = np.array([one.values()[:, 0] for one in scaler.inverse_transform(forecast)])
    return Answer(restored, fit_s, all_ms, one_ms)


def statsforecast_theta(job: Job) -> Answer:
    """Fit statsforecast's dynamic optimised Theta to each series."""
    from statsforecast.models import DynamicOptimizedTheta

    return _ask_statsforecast(job, DynamicOptimizedTheta(season_length=job.season))


def statsforecast_mstl(job: Job) -> Answer:
    """Fit statsforecast's MSTL with a daily and a weekly season to each series."""
    from statsforecast.models import MSTL

    return _ask_statsforecast(job, MSTL(season_length=[job.season, 7 * job.season]))


PEERS: tuple[Callable[[Job], Answer], ...] = (
    neuralforecast_nhits,
    neuralforecast_dlinear,
    darts_nlinear,
    statsforecast_theta,
    statsforecast_mstl,
)


def main() -> int:
    """Run every peer; one that fails is named on the error stream and left out."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    job_path, result_path, budget_s = sys.argv[1:4]
    with np.load(job_path) as file:
        ends = np.cumsum(file["lengths"])
        series = np.split(file["values"], ends[:-1])
        job = Job(series, int(file["horizon"]), int(file["season"]), int(file["context"]), float(budget_s))
    found: dict[str, NDArray[np.float64]] = {}
    for peer in PEERS:
        name = peer.__name__
        try:
            answer = peer(job)
        except Exception as exc:  # noqa: BLE001 - one library's failure must not hide the others
            print(f"{name} failed: {exc!r}", file=sys.stderr, flush=True)
            continue
        print(f"{name}: fitted in {answer.fit_s:.1f} s", file=sys.stderr, flush=True)
        found[f"{name}/forecast"] = answer.forecast
        found[f"{name}/times"] = np.array([answer.fit_s, answer.predict_all_ms, answer.predict_1_ms])
    np.savez(result_path, **found)
    return 0


def _ask_neuralforecast(job: Job, kind: type) -> Answer:
    from neuralforecast import NeuralForecast

    model = kind(h=job.horizon, input_size=job.context, max_steps=1000, random_seed=0, **_trainer(job.budget_s))
    forecaster = NeuralForecast(models=[model], freq=1)
    frame, single = job.frame(), job.frame(count=1)
    started = time.perf_counter()
    forecaster.fit(frame)
    fit_s = time.perf_counter() - started
    forecast, all_ms = _time(lambda: forecaster.predict(frame))
    _, one_ms = _time(lambda: forecaster.predict(single))
    return Answer(forecast[kind.__name__].to_numpy().reshape(-1, job.horizon), fit_s, all_ms, one_ms)


def _ask_statsforecast(job: Job, model: object) -> Answer:
    from statsforecast import StatsForecast

    forecaster = StatsForecast(models=[model], freq=1, n_jobs=2)
    started = time.perf_counter()
    forecaster.fit(job.frame())
    fit_s = time.perf_counter() - started
    forecast, all_ms = _time(lambda: forecaster.predict(h=job.horizon))
    single = StatsForecast(models=[model], freq=1).fit(job.frame(count=1))
    _, one_ms = _time(lambda: single.predict(h=job.horizon))
    column = next(name for name in forecast.columns if name not in ("unique_id", "ds"))
    return Answer(forecast[column].to_numpy(dtype=np.float64).reshape(-1, job.horizon), fit_s, all_ms, one_ms)


def _trainer(budget_s: float) -> dict[str, object]:
    return {
        "accelerator": "cpu",
        "max_time": {"seconds": int(budget_s)},
        "enable_progress_bar": False,
        "logger": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }


def _time(call: Callable[[], Any]) -> tuple[Any, float]:
    taken = []
    for _ in range(ASKED):
        started = time.perf_counter()
        answer = call()
        taken.append((time.perf_counter() - started) * 1e3)
    return answer, float(np.median(taken))


if __name__ == "__main__":
    sys.exit(main())
