"""M4 Hourly (Makridakis et al., 2020): 414 series, 48 hours ahead; OWA, 95 % MSIS and ACD, fitting and asking timed.

Lags were chosen on the three stretches of 48 hours before the test.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contracts import ForecastSpec
from models.forecasting import Batch
from training import Covariates, Origins, Series, SeriesBuffer, WindowBatches

from .champion import Champion, Fitted, fit_champion, measure_asking
from .m4_metrics import INTERVAL, Array, score, seasonal_naive, seasonal_scale
from .peers import run_peers
from .protocol import Benchmark, Figures, ProtocolError, check_baseline, data_file

SEASON, HORIZON, CONTEXT = 24, 48, 200
PUBLISHED_SEASONAL_NAIVE = {"seasonal_naive_smape": 13.912, "seasonal_naive_mase": 1.193}
"""Makridakis et al., 2020, "The M4 Competition: 100,000 time series and 61 forecasting methods", hourly series."""

_NEAR = tuple(range(1, 7))
_SHORT = {"lags": (*_NEAR, *range(22, 27), 48, 72, 96, 120, 144, *range(166, 171)), "look_back": 170}
_LONG = {
    "lags": (
        *(*_NEAR, *range(22, 27), 47, 48, 49, 71, 72, 73, 95, 96, 97, 119, 120, 121, 143, 144, 145),
        *(*range(165, 172), 191, 192, 193),
    ),
    "look_back": 200,
}
_FITTING = {"batch_size": 1024}


def champion_of(panel: Panel) -> Champion:
    """Return the accuracy champion: two autoregressions of each sign, by lags a little apart."""
    return Champion("ensemble", {"members": [_member(lags, panel) for lags in (_SHORT, _LONG)]}, _FITTING)


def quick_of(panel: Panel) -> Champion:
    """Return the quicker of the two alone."""
    member = _member(_SHORT, panel)
    return Champion(member["family"], member["options"], _FITTING)


def _member(lags: Mapping[str, Any], panel: Panel) -> dict[str, Any]:
    positive = all(float(one.min()) > 0 for one in panel.series)
    own = {"signs": len(panel.series), "logarithm": positive, "season": SEASON}
    return {"family": "autoregression", "options": {**lags, **own}}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds m4_hourly/Hourly-train.csv")
    parser.add_argument("--file", type=Path, help="another file of the same shape: a row a series, its name first")
    parser.add_argument("--split", type=Path, help="the file of what came after, a row a series (default: last 48)")
    parser.add_argument("--peers", action="store_true", help="run the peers too (make peers-forecasting first)")
    parser.add_argument("--budget-s", type=float, default=60.0, help="seconds that each neural peer may be fitted")
    parser.add_argument("--validation", action="store_true", help="hold out the last 48 hours before the test instead")


def measure(arguments: argparse.Namespace) -> Figures:
    """Return all figures."""
    panel = _read(arguments)
    naive = measure_seasonal_naive(panel)
    if arguments.file is None and not arguments.validation:
        check_baseline(PUBLISHED_SEASONAL_NAIVE, naive)
    champion, quick = (fit_panel(one_of(panel), panel) for one_of in (champion_of, quick_of))
    figures: Figures = {**naive, **score_panel(champion, panel)}
    figures |= measure_peers(panel, arguments.budget_s) if arguments.peers else {}
    return {
        **figures,
        "fit_s": champion.fit_s,
        "quick_owa": score_panel(quick, panel)["owa"],
        "quick_fit_s": quick.fit_s,
        "predict_414_ms": measure_asking(champion, panel.ends()),
        "predict_1_ms": measure_asking(champion, panel.ends(count=1)),
        "parity": champion.parity,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Series of unequal length, and what came after.

    Attributes:
        series: what is known, each of its own length.
        actual: what came after, shape ``(series, horizon)``.
    """

    series: tuple[Array, ...]
    actual: Array

    def ends(self, count: int | None = None) -> Batch:
        """Return the last windows of the series: what the test asks."""
        rows = [np.r_[np.full(CONTEXT, np.nan), one][-CONTEXT:] for one in self.series[:count]]
        context = torch.from_numpy(np.array(rows, dtype=np.float32))
        numbers = torch.arange(len(context), dtype=torch.float32)[:, None]
        return Batch(context, torch.full((len(context), HORIZON), torch.nan), static=numbers)

    def windows(self, batch_size: int) -> tuple[WindowBatches, WindowBatches]:
        """Return all windows that the series hold, and the last one of each."""
        spec = spec_of()
        series = [
            Series(str(number), 0, spec.interval_s, one.astype(np.float32)) for number, one in enumerate(self.series)
        ]
        numbers = np.arange(len(series), dtype=np.float32)[:, None]
        buffer = SeriesBuffer(series, spec, Covariates(tuple(one.sign for one in series), None, numbers))
        whole = [Origins(i, min(CONTEXT, len(one) - HORIZON), len(one) - HORIZON) for i, one in enumerate(self.series)]
        last = [Origins(one.series, one.last, one.last) for one in whole]
        return WindowBatches(buffer, buffer, whole, batch_size), WindowBatches(buffer, buffer, last)


def spec_of() -> ForecastSpec:
    """Return what is forecast: the median and the 95 % interval of 48 hours."""
    tail = (1 - INTERVAL) / 2
    quantiles = (tail, 0.5, 1 - tail)
    return ForecastSpec(context=CONTEXT, horizon=HORIZON, interval_s=3600, quantiles=quantiles, static=("sign_number",))


def fit_panel(champion: Champion, panel: Panel) -> Fitted:
    """Fit a model on all that is known; the settings were taken on earlier hours. Closed forms know no seed."""
    train, last = panel.windows(int(champion.fitting["batch_size"]))
    return fit_champion(champion, spec_of(), train, last)


def score_panel(fitted: Fitted, panel: Panel) -> dict[str, float]:
    """Return the competition's figures of a fitted graph."""
    quantiles = fitted.ask(panel.ends()).astype(np.float64)
    low, median, high = (quantiles[:, :, level] for level in range(3))
    return score(panel.actual, median, (low, high), panel.series, SEASON)


def measure_peers(panel: Panel, budget_s: float) -> Figures:
    """Return the peers' figures, fitted and asked on the same machine; the fastest neural one is the one to beat."""
    peers = run_peers(panel.series, horizon=HORIZON, season=SEASON, context=CONTEXT, budget_s=budget_s)
    figures: Figures = {}
    for peer in peers:
        owa = score(panel.actual, peer.forecast, (peer.forecast, peer.forecast), panel.series, SEASON)["owa"]
        figures |= {f"{peer.name}_owa": owa, f"{peer.name}_fit_s": peer.fit_s}
        figures |= {f"{peer.name}_predict_414_ms": peer.predict_all_ms, f"{peer.name}_predict_1_ms": peer.predict_1_ms}
    neural = [peer for peer in peers if peer.neural]
    if neural:
        figures["peer_predict_414_ms"] = min(peer.predict_all_ms for peer in neural)
        figures["peer_predict_1_ms"] = min(peer.predict_1_ms for peer in neural)
    return figures


def measure_seasonal_naive(panel: Panel) -> dict[str, float]:
    """Return the published baseline's figures."""
    forecast = seasonal_naive(panel.series, HORIZON, SEASON)
    figures = score(panel.actual, forecast, (forecast, forecast), panel.series, SEASON)
    return {f"seasonal_naive_{name}": figures[name] for name in ("smape", "mase", "owa")}


def _read(arguments: argparse.Namespace) -> Panel:
    path = data_file(arguments, "m4_hourly", "Hourly-train.csv")
    series = _read_rows(path)
    after = arguments.split or (None if arguments.file else path.with_name("Hourly-test.csv"))
    if after is not None:
        actual = np.array([row[:HORIZON] for row in _read_rows(after)])
    if after is None or arguments.validation:
        actual, series = np.array([one[-HORIZON:] for one in series]), [one[:-HORIZON] for one in series]
    panel = Panel(tuple(series), actual)
    _check(panel, path)
    return panel


def _read_rows(path: Path) -> list[NDArray[np.float64]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))[1:]
        return [np.array([float(cell) for cell in row[1:] if cell not in ("", "NA")]) for row in rows]
    except (OSError, ValueError) as exc:
        message = f"{str(path)!r} cannot be read: {exc}. Give a CSV: a heading, then a row a series, its name first."
        raise ProtocolError(message) from exc


def _check(panel: Panel, path: Path) -> None:
    short = [number for number, one in enumerate(panel.series, 1) if len(one) < SEASON + HORIZON + 1]
    flat = [number for number, one in enumerate(panel.series, 1) if not short and not seasonal_scale(one, SEASON)]
    if short or flat or panel.actual.shape != (len(panel.series), HORIZON):
        message = (
            f"{str(path)!r}: rows {short[:5]} are shorter than {SEASON + HORIZON + 1}, rows {flat[:5]} repeat one "
            f"season, and what came after has shape {panel.actual.shape}. Leave them out, or give all 48 hours."
        )
        raise ProtocolError(message)


BENCHMARK = Benchmark("414 hourly series of M4, 48 hours ahead, or files of the same shape", configure, measure)
