"""Runs the peers in their own environment (``make peers-forecasting``) and brings their forecasts back."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .protocol import ProtocolError

ENVIRONMENT = Path(".venv-peers-forecasting/bin/python")
WORKER = Path(__file__).with_name("peer_worker.py")
NEURAL = ("neuralforecast", "darts")
"""Libraries whose models are fitted once and asked for any series, as ours are."""


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """What came of a peer.

    Attributes:
        name: library and model.
        forecast: shape ``(series, horizon)``.
        fit_s: seconds of fitting.
        predict_all_ms: milliseconds of asking for all series at once.
        predict_1_ms: milliseconds of asking for one.
    """

    name: str
    forecast: NDArray[np.float64]
    fit_s: float
    predict_all_ms: float
    predict_1_ms: float

    @property
    def neural(self) -> bool:
        """Whether it is fitted once and asked for any series."""
        return self.name.startswith(NEURAL)


def run_peers(
    series: Sequence[NDArray[np.float64]], *, horizon: int, season: int, context: int, budget_s: float
) -> list[Peer]:
    """Fit and ask every peer on the same series; what a peer says goes to the error stream.

    Raises:
        ProtocolError: if their environment is missing, or none of them answers.
    """
    if not ENVIRONMENT.exists():
        message = f"The peers' environment {str(ENVIRONMENT)!r} is missing. Run: make peers-forecasting"
        raise ProtocolError(message)
    with tempfile.TemporaryDirectory(prefix="cityforge-") as folder:
        job, result = Path(folder) / "job.npz", Path(folder) / "result.npz"
        values = np.concatenate([one.astype(np.float32) for one in series])
        lengths = np.array([len(one) for one in series])
        np.savez(job, values=values, lengths=lengths, horizon=horizon, season=season, context=context)
        command = [str(ENVIRONMENT.absolute()), str(WORKER), str(job), str(result), str(budget_s)]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        if done.returncode or not result.exists():
            message = f"The peers ended with exit code {done.returncode}. See what they said above."
            raise ProtocolError(message)
        with np.load(result) as file:
            names = sorted({name.split("/")[0] for name in file.files})
            return [
                Peer(name, file[f"{name}/forecast"], *(float(part) for part in file[f"{name}/times"])) for name in names
            ]
