"""Packs as they were: a revision of a git repository, unpacked beside the working tree."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts import DataError

_TIMEOUT_S = 60


@contextmanager
def at_revision(folder: Path, revision: str) -> Iterator[Path]:
    """Give a folder as it was at a revision, in a temporary place.

    Args:
        folder: in the working tree of a git repository.
        revision: a commit, tag or branch.

    Raises:
        DataError: if git is missing, the folder is in no repository, or the revision does not hold it.
    """
    folder = folder.resolve()
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    inside = folder.relative_to(top.resolve()).as_posix()
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    with tempfile.TemporaryDirectory(prefix="cityforge-revision-") as place:
        archive = Path(place) / "tree.tar"
        archive.write_bytes(_git(top, "archive", "--format=tar", commit, "--", inside))
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
        yield Path(place) / inside


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
    except FileNotFoundError as exc:
        message = "git is not installed; revisions cannot be read. Install it, or compare two folders."
        raise DataError(message) from exc
    except subprocess.TimeoutExpired as exc:
        message = f"git {arguments[0]} took longer than {_TIMEOUT_S} s. Compare two folders instead."
        raise DataError(message) from exc
    except subprocess.CalledProcessError as exc:
        said = exc.stderr.decode(errors="replace").strip().splitlines()[:1]
        message = f"git {arguments[0]} failed in {folder}: {''.join(said)}. Name a revision that holds the folder."
        raise DataError(message) from exc
    return done.stdout
