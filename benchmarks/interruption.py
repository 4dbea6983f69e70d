"""What kill -9 costs: the demo's replay with each process killed in the middle, against an undisturbed one.

The episodes of both are compared as whole documents: none lost, none twice, none different.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from cityforge.demo import demo_settings, replay_start, to_readings
from cityforge.ports import claim_port
from cityforge.replaying import Step, plan_steps, wait_caught_up
from cityforge.settings import load_settings
from cityforge.workspace import Workspace
from contracts import Episode, OverloadedError, ServiceError, from_ms
from serving import PlatformClient
from training import load_recipe, read_series

READY_TIMEOUT_S = 60.0
PAGE = 500


@dataclass(frozen=True, slots=True)
class Damage:
    """What a disturbed replay lost or told twice.

    Attributes:
        lost: episodes of the undisturbed replay that the disturbed one lacks.
        twice: episodes that only the disturbed one holds (a second telling has another id or content).
        kills: processes killed.
        episodes: episodes of the undisturbed replay.
    """

    lost: int
    twice: int
    kills: int
    episodes: int


class ServedReplay:
    """A platform started as a user would start it, fed step by step, and killed at will.

    Args:
        home: where ``cityforge demo`` left its registry; the store is this replay's own.
        store: path of the store, made by :func:`prepare_store`.
    """

    def __init__(self, home: Path, store: Path) -> None:
        self._home, self._store = home, store
        self._port = claim_port("127.0.0.1", 0)
        self._process: subprocess.Popen[bytes] | None = None
        self.client = PlatformClient(f"http://127.0.0.1:{self._port}")

    def start(self) -> None:
        """Start serving and runtime and wait until they are ready."""
        environment = os.environ | {
            "CITYFORGE_HOME": str(self._home),
            "CITYFORGE_STORE_URL": f"sqlite:///{self._store}",
            "CITYFORGE_PACKS": '["construction.water_main"]',
            "CITYFORGE_CLOCK": "ticks",
        }
        command = [sys.executable, "-P", "-m", "cityforge", "serve", "--open", "--port", str(self._port)]
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not (self.client.is_ready() and self.client.status()["runtime"]):
            if time.monotonic() > deadline or self._process.poll() is not None:
                message = f"the platform on port {self._port} did not become ready"
                raise ServiceError(message)
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """Send SIGKILL to ``serving``, ``operations`` (the runtime) or ``supervisor``."""
        if self._process is None:
            raise AssertionError
        parent = psutil.Process(self._process.pid)
        if name == "supervisor":
            parent.send_signal(signal.SIGKILL)
            self._process.wait()
            return
        for child in parent.children():
            if name in child.cmdline():
                child.send_signal(signal.SIGKILL)
                return
        message = f"no child process {name!r}"
        raise ServiceError(message)

    def feed(self, steps: Sequence[Step]) -> int:
        """Post steps and return the inbox's last sequence."""
        last = 0
        for step in steps:
            last = self._post(step)
        return last

    def _post(self, step: Step) -> int:
        """Post one step as a source would that keeps trying while the platform is being restarted."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                if step.readings:
                    self.client.post_readings(step.readings)
                return self.client.post_tick(from_ms(step.time_ms))
            except OverloadedError:
                if time.monotonic() > deadline:
                    raise

    def finish(self, last: int) -> list[Episode]:
        """Wait until all is decided, and return every episode."""
        wait_caught_up(self.client, last)
        return self.client.warnings(limit=PAGE)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the platform and close the connections."""
        self.client.__exit__(None, None, None)
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)


def measure_damage(home: Path, scratch: Path) -> Damage:
    """Replay twice, once undisturbed and once with each process killed, and compare.

    Args:
        home: the demo's folder (``.cityforge/demo``), with a champion.
        scratch: an empty folder for the two stores.
    """
    steps = _steps()
    with ServedReplay(home, _prepare_store(home, scratch / "calm.db")) as calm:
        calm.start()
        expected = calm.finish(calm.feed(steps))
    with ServedReplay(home, _prepare_store(home, scratch / "rough.db")) as rough:
        given, kills = _replay_roughly(rough, steps)
    before, after = ({one.model_dump_json() for one in episodes} for episodes in (expected, given))
    return Damage(len(before - after), len(after - before) + len(given) - len(after), kills, len(expected))


def _replay_roughly(rough: ServedReplay, steps: Sequence[Step]) -> tuple[list[Episode], int]:
    """Kill one process after each quarter; after the supervisor, start again and post the last quarter twice."""
    rough.start()
    quarter = len(steps) // 4
    rough.feed(steps[:quarter])
    rough.kill("serving")
    rough.feed(steps[quarter : 2 * quarter])
    rough.kill("operations")
    rough.feed(steps[2 * quarter : 3 * quarter])
    rough.kill("supervisor")
    rough.start()
    return rough.finish(rough.feed(steps[2 * quarter :])), 3


def _steps() -> list[Step]:
    with Workspace(demo_settings(load_settings())) as workspace:
        recipe = load_recipe(workspace.packs[0].recipes[0])
    series = read_series(recipe.data, recipe.folder)[0]
    return plan_steps(
        to_readings(series),
        step_s=series.interval_s,
        since=replay_start(recipe),
        until=min(recipe.windows.report.end, from_ms(series.end_ms)),
    )


def _prepare_store(home: Path, store: Path) -> Path:
    """Make a new store with the demo's places, signs and champion."""
    settings = load_settings(home=home, store_url=f"sqlite:///{store}", packs=("construction.water_main",))
    with Workspace(settings) as workspace:
        workspace.import_packs()
        name = load_recipe(workspace.packs[0].recipes[0]).name
        with Workspace(load_settings(home=home)) as source:
            champion = source.store.ledger.champion(name)
        if champion is None:
            message = f"the store in {home} has no champion of {name!r}; run `cityforge demo` first"
            raise ServiceError(message)
        entry = workspace.store.ledger.append(champion.action, champion.manifest, champion.actor, champion.reason)
        workspace.assign_signs(entry.manifest)
    return store
