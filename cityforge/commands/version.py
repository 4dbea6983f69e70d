"""``cityforge version``."""

from __future__ import annotations

from cityforge import __version__
from cityforge.invocation import Invocation


def version(invocation: Invocation) -> None:
    """Print the version."""
    invocation.show(__version__)
    invocation.result({"version": __version__})
