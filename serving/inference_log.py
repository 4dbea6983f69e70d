"""The inference log: a sample of what models were asked and what they answered, kept for trying other versions on it.

It never makes a request wait: a full queue or a full disk costs samples, which are counted. Pictures are never kept,
whatever the settings say: they show people, and nothing here blurs them.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts import Array, ArtefactError, AxisName, Signature

from .engine import ServedModel
from .metrics import Metrics
from .settings import MIB, InferenceLogSettings

FLUSH_S = 5.0
BATCH = 500
WAITING_BYTES = 64 * MIB
"""What may wait to be written; more is dropped."""
_RECORDS, _INPUTS, _OUTPUTS = "records", "inputs", "outputs"
_SUFFIX = ".npz"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LoggedInference:
    """One request that was answered.

    Attributes:
        time_ms: when, Unix milliseconds.
        version: the version that answered.
        seconds: from its arrays to the answer's, waiting included.
        inputs: name → array.
        outputs: name → array.
    """

    time_ms: int
    version: int
    seconds: float
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    @property
    def size_bytes(self) -> int:
        """What its arrays hold."""
        return sum(array.nbytes for array in (*self.inputs.values(), *self.outputs.values()))


class InferenceLog:
    """Keeps a sample of the answers of one process, in files that no other process writes.

    Args:
        settings: where to, how many, and how much.
        metrics: where kept and dropped samples are counted.
    """

    def __init__(self, settings: InferenceLogSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._random = random.Random()  # noqa: S311 - a sample, not a secret
        self._waiting: dict[str, list[LoggedInference]] = defaultdict(list)
        self._waiting_bytes = self._files = self._count = 0
        self._lock = threading.Lock()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)
        self._thread.start()

    def offer(
        self, model: ServedModel, inputs: Mapping[str, Array], outputs: Mapping[str, Array], seconds: float
    ) -> None:
        """Keep an answer, or not, as the share has it.

        Called where requests are answered: it takes note and writes nothing.

        Args:
            model: the version that answered.
            inputs: name → array.
            outputs: name → array; one that is a part of a batch's is copied, so that the batch can go.
            seconds: from the one to the other.
        """
        if self._random.random() >= self._settings.share or shows_pictures(model.signature):
            return
        own = {name: array if array.base is None else array.copy() for name, array in outputs.items()}
        entry = LoggedInference(int(time.time() * 1000), model.version, seconds, inputs, own)
        with self._lock:
            fits = self._waiting_bytes + entry.size_bytes <= WAITING_BYTES
            if fits:
                self._waiting[model.name].append(entry)
                self._waiting_bytes += entry.size_bytes
                self._count += 1
            many = self._count >= BATCH
        if not fits:
            self._metrics.logged.labels("dropped").inc()
        if many or not fits:
            self._wake.set()

    def close(self) -> None:
        """Write what waits, and stop."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(FLUSH_S)
            self._wake.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            taken, self._waiting = self._waiting, defaultdict(list)
            self._waiting_bytes = self._count = 0
        for name, entries in taken.items():
            try:
                self._write(name, entries)
                self._sweep()
            except OSError as exc:  # a full disk must not end the serving
                log.warning("%d inferences of %r are not logged: %s", len(entries), name, exc)
                self._metrics.logged.labels("dropped").inc(len(entries))
            else:
                self._metrics.logged.labels("kept").inc(len(entries))

    def _write(self, name: str, entries: list[LoggedInference]) -> None:
        folder = self._settings.folder / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files += 1
        path = folder / f"{entries[0].time_ms}-{os.getpid()}-{self._files}{_SUFFIX}"
        fresh = path.with_suffix(".part")
        arrays: dict[str, Array] = {}
        records = []
        for position, entry in enumerate(entries):
            records.append({"time_ms": entry.time_ms, "version": entry.version, "seconds": entry.seconds})
            for kind, named in ((_INPUTS, entry.inputs), (_OUTPUTS, entry.outputs)):
                arrays |= {f"{position}/{kind}/{tensor}": array for tensor, array in named.items()}
        arrays[_RECORDS] = np.frombuffer(json.dumps(records).encode(), np.uint8)
        with fresh.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        fresh.replace(path)

    def _sweep(self) -> None:
        """Let the oldest files go once there is more than the limit."""
        left = sum(path.stat().st_size for path in _files(self._settings.folder.glob(f"*/*{_SUFFIX}")))
        for path in _files(self._settings.folder.glob(f"*/*{_SUFFIX}")):
            if left <= self._settings.limit_mib * MIB:
                return
            left -= path.stat().st_size
            path.unlink(missing_ok=True)


def shows_pictures(signature: Signature) -> bool:
    """Return whether a model is given pictures."""
    names = {axis.name for spec in signature.inputs for axis in spec.axes}
    return bool(names & {AxisName.HEIGHT, AxisName.WIDTH})


def read_log(
    folder: Path, name: str, *, since_ms: int | None = None, until_ms: int | None = None
) -> Iterator[LoggedInference]:
    """Iterate over what was logged of a model, oldest file first.

    Args:
        folder: of the log.
        name: of the model.
        since_ms: first time, inclusive; None for all.
        until_ms: last time, exclusive; None for all.

    Raises:
        ArtefactError: if a file is damaged.
    """
    for path in _files((folder / name).glob(f"*{_SUFFIX}")):
        for entry in _read(path):
            if (since_ms is None or entry.time_ms >= since_ms) and (until_ms is None or entry.time_ms < until_ms):
                yield entry


def _read(path: Path) -> Iterator[LoggedInference]:
    try:
        with np.load(path, allow_pickle=False) as found:
            records = json.loads(found[_RECORDS].tobytes())
            named: list[dict[str, dict[str, Array]]] = [{_INPUTS: {}, _OUTPUTS: {}} for _ in records]
            for key in found.files:
                if key != _RECORDS:
                    position, kind, tensor = key.split("/", 2)
                    named[int(position)][kind][tensor] = found[key]
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as exc:
        message = f"The file {str(path)!r} of the inference log is damaged ({exc}). Remove it to read the others."
        raise ArtefactError(message) from exc
    for record, arrays in zip(records, named, strict=True):
        yield LoggedInference(**record, inputs=arrays[_INPUTS], outputs=arrays[_OUTPUTS])


def _files(found: Any) -> list[Path]:
    """Return files by the time of their first entry, which their names begin with."""
    return sorted(found, key=lambda path: int(path.stem.partition("-")[0]))
