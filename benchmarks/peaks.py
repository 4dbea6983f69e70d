"""The peak of a process's memory, of that process alone."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

KIB_PER_MIB = 1024


def run_watched(work: Callable[..., Any], *arguments: object) -> tuple[Any, float]:
    """Return what a function gives in a new process, and that process's peak of memory in MiB.

    Linux alone: the peak is read from ``/proc``, since ``ru_maxrss`` counts what the parent held at the fork.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        result = pool.apply(_watch, (work, arguments))
        pool.close()
        pool.join()
    return result


def _watch(work: Callable[..., Any], arguments: tuple[object, ...]) -> tuple[Any, float]:
    result = work(*arguments)
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        message = "/proc/self/status says no VmHWM"
        raise OSError(message)
    return result, int(found[1]) / KIB_PER_MIB
