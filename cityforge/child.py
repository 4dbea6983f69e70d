"""What the supervisor starts: one process of the platform, tied to the supervisor's life.

    python -P -m cityforge.child MODULE LIFELINE

The process leads a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone. ``LIFELINE`` is the
reading end of a pipe whose writing end only the supervisor holds: when the supervisor is gone, however it went, the
pipe closes, and this process and all that it started end too. No orphan keeps a port or a lease.

Only the standard library is imported here: this module is part of the serving process.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 10.0
"""Time between asking a whole process group to end and ending it."""


def watch_lifeline(descriptor: int, *, grace_s: float = GRACE_S) -> None:
    """Block until the pipe closes, then end this process's whole group."""
    while os.read(descriptor, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(grace_s)
    os.killpg(0, signal.SIGKILL)


def main(module: str, lifeline: int) -> None:
    """Run a module as ``python -m`` does, under the watch of the lifeline."""
    os.set_inheritable(lifeline, False)
    threading.Thread(target=watch_lifeline, args=(lifeline,), name="lifeline", daemon=True).start()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
