"""``python -m serving``: serve until told to stop; settings come in the variable ``CITYFORGE_SERVING``."""

from __future__ import annotations

import sys

from contracts import FactoryError

from .process import run_serving
from .settings import read_settings


def main() -> int:
    """Serve; return the exit status."""
    try:
        run_serving(read_settings())
    except FactoryError as exc:
        sys.stderr.write(f"serving: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
