"""A bento: built by BentoML, served alone by our own server and by BentoML's, with nothing but what lies in it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import httpx
import psutil
import pytest

from contracts import ConfigurationError, ModelError
from serving import read_settings
from serving.bento import REQUIREMENTS, build_bento, write_artefacts, write_project
from serving.packed import use_artefacts
from store import ReleaseStore, Store

from .city import FLOW, City, populated
from .running import READY_TIMEOUT_S, free_port

PACKED_STATE = "CITYFORGE_STATE"
ASKING = """
import json, sys
import bentoml
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    told = client.infer(model="double", inputs={"x": [[1, 2, 3, 4]]})
    print(json.dumps({"ready": client.is_ready(), "y": told["outputs"]["y"]}))
"""
"""A user's program, in a process of its own: it meets the service by its address alone."""


def alone(tmp_path: Path, **settings: object) -> dict[str, str]:
    """Return an environment in which no room of the checkout can be imported by accident."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CITYFORGE_SERVING")}
    return kept | {
        PACKED_STATE: str(tmp_path / "state"),
        "BENTOML_HOME": str(tmp_path / "bentoml"),
        "CITYFORGE_SERVING": json.dumps({"open_access": True} | settings),
    }


def wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a bento in BentoML's store, and its tag."""
    folder = tmp_path_factory.mktemp("bento")
    city = populated(folder)
    before = os.environ.get("BENTOML_HOME")
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    try:
        tag = build_bento(write_project(folder / "project", city.store, city.releases, "test"))
    finally:
        if before is None:
            del os.environ["BENTOML_HOME"]
        else:
            os.environ["BENTOML_HOME"] = before
    city.close()
    name, version = tag.split(":")
    return folder / "bentoml" / "bentos" / name / version, tag


@pytest.mark.slow
def test_our_server_serves_it_and_replaces_dead_workers(bento, tmp_path: Path):
    folder, _ = bento
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, str(folder / "src" / "service.py")]
        environment = alone(tmp_path, port=port, workers=2)
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url, process, log)
        answer = httpx.get(f"{url}/v2/models/double", timeout=10).json()
        assert answer["versions"] == ["4"]
        assert {model["name"] for model in httpx.get(f"{url}/status", timeout=10).json()["models"]} == {
            "double",
            "mean",
            "seasonal",
        }
        before = {child.pid for child in psutil.Process(process.pid).children()}
        assert len(before) == 2
        assert {psutil.Process(pid).environ()["PYTHONPATH"] for pid in before} == {str(folder / "src")}
        os.kill(min(before), signal.SIGKILL)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not {child.pid for child in psutil.Process(process.pid).children()} - before:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        wait(url, process, log)
        maps = Path(f"/proc/{max(before)}/maps").read_text()
        assert re.findall("site-packages/(torch|mlflow|ultralytics|pandas)/", maps) == []
    finally:
        process.terminate()
        assert process.wait(timeout=40) == 0, log.read_text()


@pytest.mark.slow
def test_bentoml_serves_it_to_its_own_client(bento, tmp_path: Path):
    folder, _ = bento
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "bentoml", "serve", str(folder), "--port", str(port), "--host", "127.0.0.1"]
    with log.open("wb") as out:
        environment = alone(tmp_path)
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url, process, log)
        done = subprocess.run([sys.executable, "-c", ASKING, url], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"ready": True, "y": [[2, 4, 6, 8]]}
        assert httpx.get(f"{url}/livez", timeout=10).json() == {"live": True}
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.slow
def test_a_bento_holds_no_reading_no_warning_and_no_key(bento):
    folder, _ = bento
    artefacts = folder / "src" / "artefacts"
    with Store.open(f"sqlite:///{artefacts / 'store.db'}") as store:
        assert {sign.id for sign in store.signs.all()} >= {FLOW}
        assert store.inbox.last_sequence() == 0
        assert store.readings.latest([FLOW]) == {}
        assert store.verdicts.find("ep-1") == []
        for entry in store.ledger.champions().values():
            ReleaseStore(artefacts / "releases").path(entry.manifest.sha256)
    image = (folder / "env" / "docker" / "Dockerfile").read_text().splitlines()
    assert image[-2:] == ["ENV CITYFORGE_PACKED_HOST=0.0.0.0", 'CMD [ "python", "src/service.py" ]']
    text = b"".join(path.read_bytes() for path in (folder / "src").glob("*") if path.is_file())
    assert b"sha256" not in text


def owners_of(modules: dict[str, str]) -> set[str]:
    """Return the distributions that modules (name → file) come from; where several share a name, the file tells."""
    known, found = packages_distributions(), set()
    for name, file in modules.items():
        candidates = set(known.get(name.partition(".")[0], ()))
        if len(candidates) > 1:
            candidates = {
                each
                for each in candidates
                if Path(file) in {Path(one.locate()) for one in distribution(each).files or ()}
            }
        found |= candidates
    return {normal(each) for each in found}


def files_of(name: str) -> set[Path]:
    return {Path(file.locate()) for file in distribution(name).files or ()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure_of(names: tuple[str, ...]) -> set[str]:
    """Return what is installed with the given distributions, extras left out."""
    closure: set[str] = set()
    left = [normal(name) for name in names]
    while left:
        name = left.pop()
        if name in closure:
            continue
        closure.add(name)
        try:
            needed = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform
        left += [normal(re.split(r"[\s;<>=!~\[(]", each)[0]) for each in needed if "extra ==" not in each]
    return closure


def test_what_a_worker_imports_is_among_the_requirements():
    """Whatever is missing from the list would be missing in a bento's environment."""
    code = (
        "import json, sys, serving.service, serving.rpc.server, serving.process, serving.packed; "
        "print(json.dumps({name: module.__file__ for name, module in sys.modules.items() "
        "if getattr(module, '__file__', None)}))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    known = closure_of(REQUIREMENTS)
    imported = owners_of(json.loads(done.stdout))
    where_they_happen_to_be = {"brotli", "grpcio-tools"}  # tried by httpx and grpc, done without
    assert imported - known - {"cityforge", "setuptools"} - where_they_happen_to_be == set()
    assert {"torch", "mlflow", "ultralytics"} & known == set()


def test_what_a_bento_brings_holds_unless_settings_say_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    city = populated(tmp_path)
    manifests = [entry.manifest for entry in city.store.ledger.champions().values()]
    write_artefacts(tmp_path / "artefacts", city.store, city.releases, manifests, "test")
    city.close()
    for name in ("PYTHONPATH", "CITYFORGE_PACKED_VERSION"):
        monkeypatch.setenv(name, "set below")  # so that it is put back
    monkeypatch.setenv(PACKED_STATE, str(tmp_path / "state"))
    monkeypatch.setenv("CITYFORGE_SERVING", '{"port": 3100}')
    use_artefacts(tmp_path / "artefacts")
    found = read_settings()
    assert (found.host, found.port, found.keys, found.open_access) == ("127.0.0.1", 3100, (), False)
    assert found.store_url.get_secret_value() == f"sqlite:///{tmp_path / 'state' / 'store.db'}"
    assert found.releases_url.get_secret_value() == str(tmp_path / "artefacts" / "releases")
    monkeypatch.setenv("CITYFORGE_PACKED_HOST", "0.0.0.0")  # noqa: S104 - as in a container
    monkeypatch.setenv("CITYFORGE_SERVING", '{"store_url": "sqlite:////other/store.db"}')
    use_artefacts(tmp_path / "artefacts")
    found = read_settings()
    assert (found.host, found.store_url.get_secret_value()) == ("0.0.0.0", "sqlite:////other/store.db")  # noqa: S104
    monkeypatch.setenv("CITYFORGE_SERVING", "[]")
    with pytest.raises(ConfigurationError, match="is no JSON object"):
        use_artefacts(tmp_path / "artefacts")


def test_there_must_be_a_champion_and_an_empty_folder(tmp_path: Path):
    city = City(tmp_path)
    with pytest.raises(ModelError, match="no champion to pack"):
        write_project(tmp_path / "project", city.store, city.releases, "test")
    with pytest.raises(ConfigurationError, match="is not empty"):
        write_project(tmp_path, city.store, city.releases, "test")
    city.close()
