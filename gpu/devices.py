"""What this machine lends: processor time under the container's quota, and the devices onnxruntime can use.

Not a scheduler: it says what is there, it places nothing.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnxruntime

_CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Device:
    """A device that the installed onnxruntime can run graphs on.

    Attributes:
        kind: ``cpu``, ``gpu`` or ``npu``.
        vendor: who made it, as the driver tells.
        provider: the execution provider that drives it.
        threads: processor threads granted; None for a device that is no processor.
    """

    kind: str
    vendor: str
    provider: str
    threads: int | None = None


def devices() -> tuple[Device, ...]:
    """Return the devices that the installed onnxruntime sees; nothing is assumed that it does not report."""
    return tuple(
        Device(
            kind=found.device.type.name.lower(),
            vendor=found.device.vendor or found.ep_vendor,
            provider=found.ep_name,
            threads=available_threads() if found.device.type.name == "CPU" else None,
        )
        for found in onnxruntime.get_ep_devices()
    )


@cache
def available_threads() -> int:
    """Return how many threads can run at once: the cgroup's quota or the affinity mask, whichever is less."""
    return thread_budget(_CGROUP_ROOT, len(os.sched_getaffinity(0)))


def thread_budget(cgroup_root: Path, affinity: int) -> int:
    """Return the threads granted by a cgroup tree (version 2 or 1) on ``affinity`` processors; at least 1.

    A container sees all cores of its host; its quota tells how many it may keep busy.
    """
    quota = _quota_v2(cgroup_root / "cpu.max") or _quota_v1(cgroup_root / "cpu")
    return max(1, min(affinity, math.ceil(quota))) if quota else max(1, affinity)


def _quota_v2(file: Path) -> float | None:
    words = _read_words(file)
    if len(words) != 2 or words[0] == "max":  # noqa: PLR2004 - "quota period"
        return None
    return int(words[0]) / int(words[1])


def _quota_v1(folder: Path) -> float | None:
    quota, period = _read_words(folder / "cpu.cfs_quota_us"), _read_words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])


def _read_words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:  # no such cgroup version here: no quota is set by it
        return []
