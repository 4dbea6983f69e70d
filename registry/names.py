"""Names and paths that come from outside, checked here and not left to what they are handed to."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from contracts import IDENTIFIER, ConfigurationError, Problem

MAX_PATH_LENGTH = 240
MAX_ACTOR_LENGTH = 128
_IDENTIFIER = re.compile(IDENTIFIER.removeprefix("^").removesuffix("$"))
_PATH_PART = re.compile(r"[\w][\w .@=+\-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_name(name: str, what: str = "model") -> str:
    """Return a name that is safe in a URL, a file name and a query.

    Raises:
        ConfigurationError: if it is not.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        remedy = "Use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit."
        raise refusal(what, f"{name!r} is no valid {what} name.", remedy)
    return name


def check_actor(actor: str) -> str:
    """Return who acts: a person or key by name.

    Raises:
        ConfigurationError: if nobody is named.
    """
    if not actor.strip() or len(actor) > MAX_ACTOR_LENGTH or not actor.isprintable():
        raise refusal(repr(actor), "it names nobody who acts.", "Give the name of the person or key that acts.")
    return actor


def check_artefact_path(path: str) -> str:
    """Return a relative path inside a run's artefacts; the empty one is the run's own folder.

    Raises:
        ConfigurationError: if it leads out of the run, is absolute, or holds unusual characters.
    """
    parts = path.split("/")
    usable = len(path) <= MAX_PATH_LENGTH and all(_PATH_PART.fullmatch(part) for part in parts)
    if path and (not usable or PurePosixPath(path).is_absolute()):
        remedy = "Use a relative path of plain names, such as 'figures/band.png'."
        raise refusal(path, f"{path!r} cannot be the path of an artefact.", remedy)
    return path


def check_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint: a sha256 in hexadecimal digits.

    Raises:
        ConfigurationError: if it is none.
    """
    if not _SHA256.fullmatch(fingerprint):
        remedy = "Give the sha256 of data, recipe and code as 64 hexadecimal digits in lower case."
        raise refusal(fingerprint, "a fingerprint is a sha256.", remedy)
    return fingerprint


def refusal(where: str, message: str, remedy: str) -> ConfigurationError:
    """Return the error of a single problem in what the registry was handed."""
    return ConfigurationError("What the registry was handed", [Problem(where, message, remedy)])
