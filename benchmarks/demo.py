"""The main job's figures: ``python -m benchmarks.demo --json``.

Runs ``cityforge demo`` twice in an empty folder as a user would, measures the serving process that it starts, and kills
each process in the middle of a replay. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from cityforge.settings import adapt, load_settings
from cityforge.supervisor import SERVING, Platform

from .interruption import measure_damage

MIB = 1024 * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(Path(scratch), quiet=arguments.json)
    print(json.dumps(figures))


def measure(scratch: Path, *, quiet: bool) -> dict[str, Any]:
    """Return all figures of the main job, measured in an empty folder."""
    say = (lambda _: None) if quiet else print
    say("first run ...")
    first_s, result = run_demo(scratch)
    say(f"{first_s:.1f} s; second run ...")
    second_s, again = run_demo(scratch)
    home = scratch / ".cityforge" / "demo"
    say(f"{second_s:.1f} s; serving process ...")
    serving = measure_serving(home)
    say("kill -9 of each process ...")
    (scratch / "stores").mkdir()
    damage = measure_damage(home, scratch / "stores")
    champion = next(one for one in result["trained"] if one["version"] == result["champion"]["version"])
    return {
        "demo_s": round(first_s, 1),
        "second_run_s": round(second_s, 1),
        "warnings": len(result["warnings"]),
        "same_warnings_again": result["warnings"] == again["warnings"],
        "blind": len(result["blind"]),
        "mae_ratio": round(result["report_figures"]["mae_ratio"], 4),
        "mae_ratio_last_step": round(result["report_figures"]["mae_ratio_last_step"], 4),
        "coverage_90": round(result["report_figures"]["coverage_90"], 4),
        "onnx_parity": champion["figures"]["onnx_parity"],
        **serving,
        "kill9_lost": damage.lost,
        "kill9_twice": damage.twice,
        "kill9_kills": damage.kills,
        "kill9_episodes": damage.episodes,
    }


def run_demo(folder: Path) -> tuple[float, dict[str, Any]]:
    """Run the demo as a user would and return its wall time and its result."""
    command = [sys.executable, "-P", "-m", "cityforge", "demo", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CITYFORGE_")}
    began = time.monotonic()
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if run.returncode != 0:
        sys.exit(f"cityforge demo ended with {run.returncode}:\n{run.stdout}\n{run.stderr}")
    return seconds, json.loads(run.stdout)


def measure_serving(home: Path) -> dict[str, Any]:
    """Start serving alone and measure readiness, memory, and whether torch or mlflow is mapped into it."""
    settings = adapt(load_settings(), home=home, port=0, open_access=True, packs=("construction.water_main",))
    began = time.monotonic()
    with Platform(settings, parts=[SERVING]) as platform, platform.client() as client:
        ready = client.is_ready()
        ready_s = time.monotonic() - began
        if not ready:
            sys.exit("the champion does not answer; see the logs in " + str(platform.logs))
        top = psutil.Process(platform.children[SERVING].pid)
        family = [top, *top.children(recursive=True)]
        maps = {entry.path for process in family for entry in process.memory_maps()}
        # Of several processes each is judged alone; the largest is the one that serves.
        rss_mib = max(process.memory_info().rss for process in family) / MIB
        total_mib = sum(process.memory_info().rss for process in family) / MIB
    return {
        "serving_ready_s": round(ready_s, 2),
        "serving_rss_mib": round(rss_mib, 1),
        "serving_all_processes_rss_mib": round(total_mib, 1),
        "torch_in_serving": any("/torch/" in path for path in maps),
    }


if __name__ == "__main__":
    main()
