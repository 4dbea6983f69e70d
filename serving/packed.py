"""A serving process that brings its artefacts along: what a bento does before anything else.

The bento holds released files and a store with places, signs and the ledger's champions. The store is copied to a
place that can be written, once per machine; whoever sets ``CITYFORGE_SERVING`` overrules any of this, such as by the
URL of a shared store or by API keys.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from contracts import ConfigurationError, Problem

from .settings import SETTINGS_VARIABLE
from .versions import VERSION_VARIABLE

STATE_VARIABLE = "CITYFORGE_STATE"
"""Folder of the store's copy; by default one among the system's temporary files."""
HOST_VARIABLE = "CITYFORGE_PACKED_HOST"
"""Where to listen unless the settings say: an image sets it, since in a container nobody calls from inside."""
STORE, RELEASES, FACTS = "store.db", "releases", "facts.json"


def use_artefacts(folder: Path) -> None:
    """Let the settings of this process default to what lies in a folder.

    Args:
        folder: as :func:`serving.bento.write_artefacts` filled it.

    Raises:
        ConfigurationError: if ``CITYFORGE_SERVING`` is set to something that is no JSON object.
    """
    facts = json.loads((folder / FACTS).read_text())
    os.environ.setdefault(VERSION_VARIABLE, facts["cityforge"])
    given = _given()
    if "store_url" not in given:
        given["store_url"] = f"sqlite:///{_writable_copy(folder / STORE, facts['id'])}"
    given.setdefault("releases_url", str(folder / RELEASES))
    if HOST_VARIABLE in os.environ:
        given.setdefault("host", os.environ[HOST_VARIABLE])
    os.environ[SETTINGS_VARIABLE] = json.dumps(given)
    os.environ["PYTHONPATH"] = str(folder.parent)  # so that workers, too, import the rooms that lie there


def _given() -> dict[str, Any]:
    text = os.environ.get(SETTINGS_VARIABLE, "{}")
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        title = f"The variable {SETTINGS_VARIABLE}"
        raise ConfigurationError(title, [Problem(SETTINGS_VARIABLE, "is no JSON object.", "Set it to one.")])
    return given


def _writable_copy(store: Path, identity: str) -> Path:
    """Return the store's copy, made if it is not there; several processes may ask at once."""
    default = Path(tempfile.gettempdir()) / f"cityforge-{os.getuid()}-{identity}"
    folder = Path(os.environ.get(STATE_VARIABLE, default))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / STORE
    if not target.exists():
        fresh = folder / f"{STORE}.{os.getpid()}"
        shutil.copyfile(store, fresh)
        with contextlib.suppress(FileExistsError):  # another process was faster: its copy counts
            target.hardlink_to(fresh)
        fresh.unlink()
    return target
