"""``python -m operations``: the runtime process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from contracts import FactoryError

from .runtime import run_runtime
from .settings import read_settings


def main() -> int:
    """Run the runtime until SIGTERM or SIGINT; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = read_settings(os.environ)
        logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        run_runtime(settings, stop)
    except FactoryError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
