"""What a run stood on: the installed distributions, the platform and the git commit."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

_GIT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Commit:
    """The git commit of a working tree.

    Attributes:
        sha: its full name.
        dirty: whether tracked files differ from it.
    """

    sha: str
    dirty: bool


@cache
def describe_environment() -> str:
    """Return platform and every installed distribution with its version, one a line, as ``pip freeze`` writes them."""
    names = {found.name: found.version for found in distributions() if found.name}
    packages = sorted(f"{name}=={version}" for name, version in names.items())
    return "\n".join([f"# Python {platform.python_version()} on {platform.platform()}", *packages, ""])


def read_commit(folder: Path) -> Commit | None:
    """Return the commit that a folder stands on; None outside of a git repository or without git."""
    sha = _ask_git(folder, "rev-parse", "--verify", "HEAD")
    if sha is None:
        return None
    changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return Commit(sha.strip(), dirty=bool(changes))


def _ask_git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):  # no git, no repository, no commit yet: nothing to record
        return None
    return answer.stdout
