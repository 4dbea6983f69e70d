"""The process itself: lean, ready, stopped cleanly, and clear about what keeps it from starting."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from contracts import ConfigurationError, ServiceError
from serving import read_settings
from serving.process import listen

from .city import City, populated
from .running import Server, free_port, launch, run_server, settings_of, wait_ready

RSS_LIMIT_MIB = 250
FORBIDDEN = ("torch", "mlflow", "torchvision", "ultralytics", "onnx/onnx_cpp2py", "pandas")


def mapped_files(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_it_serves_three_models_within_250_mib(server: Server):
    with server.client() as client:
        assert len(client.get("/status").json()["models"]) == 3
    assert psutil.Process(server.process.pid).memory_info().rss / 2**20 <= RSS_LIMIT_MIB


def test_the_live_process_maps_no_file_of_torch_or_mlflow(server: Server):
    maps = mapped_files(server.process.pid)
    assert "onnxruntime" in maps
    assert [name for name in FORBIDDEN if f"site-packages/{name}" in maps] == []


def test_everything_a_worker_imports_is_free_of_torch_and_mlflow():
    code = (
        "import sys, serving.service; "
        "print([name for name in ('torch', 'mlflow', 'ultralytics', 'models', 'training') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_room_loads_no_server():
    code = (
        "import sys, serving; "
        "heavy = ('bentoml', 'onnxruntime', 'starlette', 'uvicorn', 'sqlalchemy'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_port_in_use_is_told_before_anything_is_loaded(city: City, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = launch(settings_of(city.store_url, city.releases_url, port), tmp_path / "log")
        assert server.process.wait(timeout=30) == 1
    said = server.log.read_text()
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert "Traceback" not in said


def test_an_address_that_is_not_ours_is_an_error():
    with pytest.raises(ServiceError, match=r"Cannot listen on 192\.0\.2\.1:1234"):
        listen("192.0.2.1", 1234)


def test_missing_settings_are_told(tmp_path: Path):
    environment = {key: value for key, value in os.environ.items() if key != "CITYFORGE_SERVING"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-P", "-m", "serving"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "CITYFORGE_SERVING: is not set." in done.stderr


def test_all_mistakes_in_settings_are_told_at_once():
    text = '{"store_url": "sqlite:///x", "port": 99999, "workers": 0, "surprise": 1}'
    with pytest.raises(ConfigurationError, match="has 4 problems") as caught:
        read_settings(text)
    assert {problem.where for problem in caught.value.problems} == {"releases_url", "port", "workers", "surprise"}


def test_open_access_is_for_loopback_only():
    text = '{"store_url": "sqlite:///x", "releases_url": "y", "host": "0.0.0.0", "open_access": true}'
    with pytest.raises(ConfigurationError, match="loopback"):
        read_settings(text)


def test_a_store_that_cannot_be_written_keeps_it_from_starting(city: City, tmp_path: Path):
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "store.db").write_bytes(b"this is no database, and was never one" * 100)
    settings = settings_of(f"sqlite:///{locked / 'store.db'}", city.releases_url, free_port())
    server = launch(settings, tmp_path / "log")
    assert server.process.wait(timeout=30) == 1
    assert "The file is damaged or no store" in server.log.read_text()


def test_a_request_in_flight_is_answered_before_the_process_ends(tmp_path: Path):
    city = populated(tmp_path)
    settings = settings_of(city.store_url, city.releases_url, free_port())
    with run_server(settings, tmp_path / "log") as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"POST /v2/models/mean/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(0.2)
        raw.sendall(b"67890")
        assert raw.recv(4096).startswith(b"HTTP/1.1 401")
    city.close()


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path):
    city = populated(tmp_path)
    settings = settings_of(city.store_url, city.releases_url, free_port(), workers=2)
    with run_server(settings, tmp_path / "log") as server:
        deadline = time.monotonic() + 30
        while len(server.workers()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        before = {worker.pid for worker in server.workers()}
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        while not {worker.pid for worker in server.workers()} - before:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        wait_ready(server)
        with server.client() as client:
            assert client.get("/metrics").is_success
    assert "is replaced" in server.log.read_text()
    city.close()
