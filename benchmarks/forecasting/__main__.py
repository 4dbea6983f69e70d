"""``python -m benchmarks.forecasting NAME``: runs one benchmark; its last line is one JSON object."""

from __future__ import annotations

import argparse
import json
import sys

from contracts import FactoryError

from . import etth1, los_loop, m4_hourly, scale
from .protocol import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    "etth1": etth1.BENCHMARK,
    "los_loop": los_loop.BENCHMARK,
    "m4_hourly": m4_hourly.BENCHMARK,
    "scale": scale.BENCHMARK,
}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecasting", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.summary, description=benchmark.summary)
        command.add_argument("--json", action="store_true", help="print the figures as JSON alone")
        benchmark.configure(command)
    arguments = parser.parse_args()
    try:
        figures = BENCHMARKS[arguments.benchmark].measure(arguments)
    except FactoryError as exc:
        print(exc, file=sys.stderr)
        return 1
    if not arguments.json:
        for key, value in figures.items():
            print(f"{key:32} {value:.4g}" if isinstance(value, float) else f"{key:32} {value}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
