"""``python -m cityforge``: the same as the ``cityforge`` command."""

from __future__ import annotations

from .main import run

if __name__ == "__main__":
    run()
