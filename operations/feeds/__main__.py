"""``python -m operations.feeds``: the process that watches cameras."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from contracts import FactoryError


def main() -> int:
    """Watch until SIGTERM or SIGINT; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        from .process import read_settings, run_feeds  # deferred: without the extra, one line says what is missing
    except ImportError as exc:
        sys.stderr.write(f"Cameras need the extra 'feeds' ({exc}). Install cityforge[feeds].\n")
        return 1
    try:
        settings = read_settings(os.environ)
        logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        run_feeds(settings, stop)
    except FactoryError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
