"""Serving against its peers, and against no server at all: ``python -m benchmarks.serving --json``.

The same models, the same load generator (wrk), one server after the other, in interleaved rounds; figures are medians
over rounds, and ratios are taken within a round. Peers live in environments of their own (``make peers-serving``);
without one its keys are null. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .graphs import forecaster_of, small_forecaster
from .rounds import Round, measure_batch, measure_large, measure_latency_added, measure_small
from .servers import BARE, BENTOML, OURS

_NOT_PEERS = {OURS, BARE, "raw"}
PARTS: dict[str, Callable[..., Round]] = {
    "small": measure_small,
    "large": measure_large,
    "latency": measure_latency_added,
    "batch": measure_batch,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of load in each measurement")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="measure only this part")
    parser.add_argument("--server", action="append", help="measure only these servers of the small part")
    arguments = parser.parse_args()
    say = (lambda *_: None) if arguments.json else lambda *words: print(*words, file=sys.stderr, flush=True)
    models = {"small": small_forecaster(), "middle": forecaster_of(3), "large": forecaster_of(11)}
    rounds: dict[str, list[Round]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.rounds):
            for part, measure in PARTS.items():
                if arguments.only and part not in arguments.only:
                    continue
                say(f"round {number + 1} of {arguments.rounds}: {part}")
                wanted = {"servers": arguments.server} if part == "small" else {}
                folder = Path(name) / part
                found = measure(models, folder, seconds=arguments.seconds, **wanted)
                say("  " + ", ".join(f"{key} {value:.4g}" for key, value in found.items()))
                rounds[part].append(found)
    print(json.dumps(summarise(rounds)))


def summarise(rounds: dict[str, list[Round]]) -> dict[str, Any]:
    """Return the figures of all rounds; what was not measured is null."""
    small, large, batch = rounds["small"], rounds["large"], rounds["batch"]
    peers = sorted({name for found in small for name in found} - _NOT_PEERS)
    against_best = [found[OURS] / best for found in small if OURS in found and (best := _best(found))]
    figures: dict[str, Any] = {
        "small_vs_stock_bentoml": _middle(_ratios(small, OURS, BENTOML)),
        "small_vs_best_peer": _middle(against_best),
        "small_vs_bare_asgi": _middle(_ratios(small, OURS, BARE)),
        "small_vs_raw": _middle(_ratios(small, OURS, "raw")),
        "large_vs_raw": _middle(_ratios(large, "large", "large raw")),
        "middle_vs_raw": _middle(_ratios(large, "middle", "middle raw")),
    }
    for key in ("rest", "rest_binary", "grpc", "bentoml"):
        figures[f"added_p50_{key}_ms"] = _median(rounds["latency"], key)
    figures["batch2600_vs_raw"] = _middle(_ratios(batch, "ours", "raw"))
    figures["batch2600_vs_raw_two_threads"] = _middle(_ratios(batch, "ours", "raw best"))
    figures["batch2600_ms"] = _median(batch, "ours")
    figures["peers"] = {name: _median(small, name) for name in (OURS, BARE, "raw", *peers)}
    figures["spread"] = {
        "small_vs_best_peer": _spread(against_best),
        "small_vs_stock_bentoml": _spread(_ratios(small, OURS, BENTOML)),
        "large_vs_raw": _spread(_ratios(large, "large", "large raw")),
        "middle_vs_raw": _spread(_ratios(large, "middle", "middle raw")),
        "batch2600_vs_raw": _spread(_ratios(batch, "ours", "raw")),
    }
    return figures


def _best(found: Round) -> float | None:
    return max((rate for name, rate in found.items() if name not in _NOT_PEERS), default=None)


def _ratios(rounds: list[Round], above: str, below: str) -> list[float]:
    return [found[above] / found[below] for found in rounds if above in found and below in found]


def _median(rounds: list[Round], key: str) -> float | None:
    return _middle([found[key] for found in rounds if key in found])


def _middle(values: list[float]) -> float | None:
    return round(statistics.median(values), 4) if values else None


def _spread(values: list[float]) -> list[float] | None:
    return [round(min(values), 3), round(max(values), 3)] if values else None


if __name__ == "__main__":
    main()
