"""The version of this program, also where it was copied rather than installed, as in a bento."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

VERSION_VARIABLE = "CITYFORGE_PACKED_VERSION"


def program_version() -> str:
    """Return the version."""
    try:
        return version("cityforge")
    except PackageNotFoundError:
        return os.environ.get(VERSION_VARIABLE, "unknown")
