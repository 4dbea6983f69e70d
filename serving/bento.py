"""A bento: the serving rooms, the champions and what they need to know, built by BentoML from a folder of their own.

The folder is an ordinary BentoML project, so that `bentoml build` works in it too. It holds no key and no reading.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

from contracts import Action, ConfigurationError, ModelError, Problem, ReleaseManifest, ServiceError
from store import ReleaseStore, Store

from .packed import FACTS, RELEASES, STORE
from .settings import SETTINGS_VARIABLE
from .versions import program_version

ROOMS = ("contracts", "store", "gpu", "knowledge_graph", "early_warning", "serving")
"""The rooms that a serving process imports."""
REQUIREMENTS = (
    "alembic",
    "bentoml",
    "defusedxml",
    "fsspec",
    "grpcio",
    "holidays",
    "httptools",
    "httpx",
    "networkx",
    "numpy",
    "onnx",
    "onnxruntime",
    "openpyxl",
    "orjson",
    "pillow",
    "prometheus-client",
    "protobuf",
    "psutil",
    "pydantic",
    "ruamel.yaml",
    "simplejpeg",
    "sqlalchemy",
    "starlette",
    "tzdata",
    "uvicorn",
    "uvloop",
)
"""What those rooms import, and no more: neither torch nor mlflow."""
OPTIONAL_REQUIREMENTS = ("psycopg", "psycopg-binary")
"""What a shared store on PostgreSQL needs; packed where it is installed."""
_ROOT = Path(__file__).resolve().parent.parent
_ARTEFACTS = "artefacts"
_REASON = "packed into a bento"
_TAG = "__tag__:"
_SHOWN_LINES = 15


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that BentoML can build.

    Attributes:
        folder: where it is.
        models: name → version of the champions inside.
    """

    folder: Path
    models: dict[str, int]


def write_project(folder: Path, store: Store, releases: ReleaseStore, actor: str) -> Project:
    """Write the BentoML project of the present champions.

    Args:
        folder: new, or empty.
        store: whose places, signs, assignments and champions go in.
        releases: whose files go in.
        actor: who packs, for the ledger inside.

    Raises:
        ConfigurationError: if the folder holds something.
        ModelError: if there is no champion to pack.
        ArtefactError: if a release is damaged.
    """
    if folder.exists() and any(folder.iterdir()):
        problem = Problem(str(folder), "is not empty.", "Name a folder that is new or empty.")
        title = "The bento's folder"
        raise ConfigurationError(title, [problem])
    manifests = [entry.manifest for entry in store.ledger.champions().values()]
    if not manifests:
        message = "There is no champion to pack. Promote one with `cityforge promote NAME`."
        raise ModelError(message)
    folder.mkdir(parents=True, exist_ok=True)
    for room in ROOMS:
        shutil.copytree(_ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    write_artefacts(folder / _ARTEFACTS, store, releases, manifests, actor)
    (folder / "service.py").write_text(_SERVICE)
    (folder / "bentofile.yaml").write_text(_bentofile())
    (folder / "Dockerfile.j2").write_text(_DOCKERFILE)
    return Project(folder, {manifest.name: manifest.version for manifest in manifests})


def write_artefacts(
    folder: Path, store: Store, releases: ReleaseStore, manifests: list[ReleaseManifest], actor: str
) -> None:
    """Write released files and a store that knows them: no readings, no warnings, no keys."""
    folder.mkdir(parents=True)
    target = ReleaseStore(folder / RELEASES)
    with Store.open(f"sqlite:///{folder / STORE}") as packed:
        packed.places.put(store.places.all())
        packed.signs.put(store.signs.all())
        packed.assignments.put_all(store.assignments.all())
        for manifest in manifests:
            releases.copy(manifest, target)
            packed.ledger.append(Action.PROMOTE, manifest, actor, _REASON)
    facts = {"id": uuid.uuid4().hex, "cityforge": program_version()}
    (folder / FACTS).write_text(json.dumps(facts))


def build_bento(project: Project) -> str:
    """Let BentoML build a project into its store, and return the bento's tag.

    Raises:
        ServiceError: if BentoML cannot build it, with what it says.
    """
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", str(project.folder)]
    environment = {name: value for name, value in os.environ.items() if name != SETTINGS_VARIABLE}
    environment |= {"BENTOML_DO_NOT_TRACK": "true", "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=project.folder)
    tags = [line.removeprefix(_TAG) for line in done.stdout.splitlines() if line.startswith(_TAG)]
    if done.returncode or not tags:
        said = "\n".join((done.stderr or done.stdout).splitlines()[-_SHOWN_LINES:])
        message = f"BentoML could not build {str(project.folder)!r}:\n{said}"
        raise ServiceError(message)
    return tags[0]


def requirements() -> list[str]:
    """Return what a bento needs, pinned to what is installed here: that is what its models were proven with."""
    installed = {found.name for found in distributions()}
    return [
        f"{name}=={version(name)}"
        for name in (*REQUIREMENTS, *(name for name in OPTIONAL_REQUIREMENTS if name in installed))
    ]


def _bentofile() -> str:
    document = {
        "service": "service:CityforgeService",
        "name": "cityforge",
        "description": "The champions of a cityforge, ready to answer.",
        "labels": {"program": "cityforge", "version": program_version()},
        "include": ["service.py", f"{_ARTEFACTS}/**", *(f"{room}/**" for room in ROOMS)],
        "python": {"packages": requirements(), "lock_packages": False},
        "docker": {"dockerfile_template": "Dockerfile.j2"},
    }
    return json.dumps(document, indent=2)  # JSON is YAML


_SERVICE = '''"""What this bento serves: for `bentoml serve`, or run as a program, by cityforge's own server.

Run as a program it watches its workers and replaces those that die, in a container too, and speaks gRPC where
CITYFORGE_SERVING names a port for it.
"""

import sys
from pathlib import Path

from serving.packed import use_artefacts

use_artefacts(Path(__file__).resolve().parent / "artefacts")

if __name__ == "__main__":
    from serving.__main__ import main

    sys.exit(main())

from serving.service import CityforgeService

__all__ = ["CityforgeService"]
'''

_DOCKERFILE = """{% extends bento_base_template %}
{% block SETUP_BENTO_ENTRYPOINT %}
{{ super() }}
# cityforge's own server replaces workers that die; `serve` as the argument starts BentoML's instead.
ENV CITYFORGE_PACKED_HOST=0.0.0.0
CMD [ "python", "src/service.py" ]
{% endblock %}
"""
