from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from contracts import ArtefactError, ModelError, TensorError
from gpu import open_session
from gpu import session as session_module

from .graphs import CONTEXT, FORECAST, SIGNATURE, declared_forecaster, linear_forecaster


def request_of(rows: int) -> dict[str, np.ndarray]:
    return {"context": np.arange(rows * CONTEXT, dtype=np.float32).reshape(rows, CONTEXT)}


def test_a_file_and_its_bytes_give_the_same_results(tmp_path: Path) -> None:
    graph = declared_forecaster()
    file = tmp_path / "model.onnx"
    file.write_bytes(graph)
    from_file, from_bytes = open_session(file), open_session(graph, threads=2)
    np.testing.assert_allclose(
        from_file.run(request_of(3))["quantiles"], from_bytes.run(request_of(3))["quantiles"], rtol=1e-6
    )
    assert from_file.run(request_of(5))["quantiles"].shape == (5, 2, 3)


def test_the_declared_signature_and_forecast_are_read_from_the_graph() -> None:
    session = open_session(declared_forecaster())
    assert session.signature == SIGNATURE
    assert session.forecast == FORECAST


def test_a_graph_without_declarations_has_no_forecast() -> None:
    session = open_session(linear_forecaster())
    assert session.forecast is None
    assert session.signature.inputs[0].shape == (None, CONTEXT)


@pytest.mark.parametrize("content", [b"not an onnx file", declared_forecaster()[:-40], b"\x00" * 64])
def test_a_corrupt_file_names_its_path_and_the_remedy(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match=rf"{file}.*cannot be opened.*Export it again"):
        open_session(file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nowhere\.onnx' does not exist"):
        open_session(tmp_path / "nowhere.onnx")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="does not exist"):
        open_session(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.onnx"
    file.touch()
    with pytest.raises(ArtefactError, match=r"has 0 bytes"):
        open_session(file)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.onnx"
    with file.open("wb") as stream:
        stream.truncate(session_module.MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ArtefactError, match=r"it must have between 1 and 2147483647"):
        open_session(file)


def test_no_thread_is_no_session() -> None:
    with pytest.raises(ValueError, match="at least one thread, was asked for 0"):
        open_session(declared_forecaster(), threads=0)


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"context": np.zeros((1, CONTEXT + 1), np.float32)},
        {"context": np.zeros((1, CONTEXT), np.float64)},
        {"other": np.zeros((1, CONTEXT), np.float32)},
    ],
)
def test_a_request_that_does_not_fit_is_told_so(feeds: dict[str, np.ndarray]) -> None:
    session = open_session(declared_forecaster())
    with pytest.raises(TensorError, match="does not fit the graph"):
        session.run(feeds)
    assert session.run(request_of(1))["quantiles"].shape == (1, 2, 3)


def test_a_closed_session_says_so() -> None:
    session = open_session(declared_forecaster())
    session.close()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        session.run(request_of(1))


def test_many_threads_may_share_a_session() -> None:
    session = open_session(declared_forecaster())
    expected = {rows: session.run(request_of(rows))["quantiles"] for rows in range(1, 9)}

    def agrees(rows: int) -> bool:
        return all(np.array_equal(session.run(request_of(rows))["quantiles"], expected[rows]) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(agrees, range(1, 9)))


def test_a_session_of_one_thread_starts_none() -> None:
    process = psutil.Process()
    open_session(declared_forecaster()).run(request_of(1))
    before = process.num_threads()
    sessions = [open_session(declared_forecaster()) for _ in range(8)]
    for session in sessions:
        session.run(request_of(64))
    assert process.num_threads() <= before  # others of this process may end meanwhile


def test_swapping_sessions_500_times_does_not_grow_the_process() -> None:
    graph = declared_forecaster(width=250_000)  # 1 MB of weights each

    def swap(times: int) -> int:
        for _ in range(times):
            session = open_session(graph)
            session.run(request_of(256))
            session.close()
        return psutil.Process().memory_info().rss

    settled = swap(50)
    assert swap(500) <= settled * 1.02


def test_importing_the_room_loads_neither_torch_nor_onnx() -> None:
    heavy = ("torch", "onnx", "mlflow", "pandas")
    code = f"import json, sys, gpu; print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []
