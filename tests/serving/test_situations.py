"""Situations that the test suite of NVIDIA's Triton names for servers of this protocol, each met by its clients.

Met elsewhere: wrong shapes, datatypes, names and sizes in ``test_open_inference`` and ``test_rpc``;
swaps, rollbacks, broken and corrupt successors in ``test_swap``; clients that leave and overload in ``test_urgency``;
requests in pieces, pipelined and slow in ``test_direct``; shutdown with a request in flight in ``test_process``.
"""

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from serving import Role

from .city import CONTEXT, City
from .running import KEYS, READY_TIMEOUT_S, Server, free_port, launch, settings_of

INFER = "/v2/models/mean/infer"
SLOW = "slow"
ROWS = 2000
HEADERS = {"authorization": f"Bearer {KEYS[Role.ADMINISTRATOR]}"}
LENGTH = "Inference-Header-Content-Length"
ROW = np.arange(CONTEXT, dtype=np.float32)
GROWTH_MIB = 8


def slow_input(module=triton_grpc):
    tensor = module.InferInput("x", [ROWS, 4], "FP32")
    tensor.set_data_from_numpy(np.ones((ROWS, 4), np.float32))
    return [tensor]


def executed_rows(slow: Server) -> int:
    with slow.client() as client:
        return int(client.get(f"/v2/models/{SLOW}/stats").json()["model_stats"][0]["inference_count"])


@pytest.fixture
def over_grpc(slow: Server):
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{slow.grpc_port}") as client:
        yield client


# L0_http


def test_raw_binary_alone(client: httpx.Client):
    """One input, no JSON: what a camera or a shell script sends."""
    answer = client.post(INFER, content=np.stack([ROW, ROW + 1]).tobytes(), headers={LENGTH: "0"})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers[LENGTH])
    (described,) = json.loads(answer.content[:length])["outputs"]
    values = np.frombuffer(answer.content[length:], np.float32).reshape(described["shape"])
    np.testing.assert_allclose(values[:, 0, 1], [3.5, 4.5])


@pytest.mark.parametrize("size", [1, 4 * CONTEXT - 4, 4 * CONTEXT + 4])
def test_raw_binary_of_another_length(client: httpx.Client, size: int):
    answer = client.post(INFER, content=bytes(size), headers={LENGTH: "0"})
    assert answer.status_code == 422
    assert "'context'" in answer.json()["error"]


def test_raw_binary_for_a_model_of_several_inputs(client: httpx.Client):
    answer = client.post("/v2/models/seasonal/infer", content=bytes(64), headers={LENGTH: "0"})
    assert answer.status_code == 400
    assert "need JSON" in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"[" * 200_000, 400, "not JSON|recursion"),
        (b'{"inputs":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400, "inputs|recursion"),
        (
            b'{"inputs":[{"name":"context","shape":[1,8],"datatype":"BYTES","data":["' + b"x" * 900_000 + b'"]}]}',
            422,
            "BYTES",
        ),
        (b'{"inputs":[{"name":"context","shape":[-1,8],"datatype":"FP32","data":[]}]}', 422, "has the shape"),
        (
            b'{"inputs":[{"name":"context","shape":[4611686018427387904,4],"datatype":"FP32","data":[]}]}',
            422,
            "0 elements",
        ),
        (b"", 400, "not JSON"),
        (b'{"id": "\xff"}', 400, "not UTF-8"),
    ],
    ids=["deep", "deep objects", "large text", "negative", "overflow", "empty", "no text"],
)
def test_hostile_bodies(client: httpx.Client, body: bytes, status: int, said: str):
    answer = client.post(INFER, content=body)
    assert answer.status_code == status, answer.text
    assert any(word in answer.json()["error"] for word in said.split("|")), answer.text
    assert client.get("/v2/health/live").is_success


def test_no_rows_are_answered_with_none(client: httpx.Client):
    nothing = {"inputs": [{"name": "context", "shape": [0, CONTEXT], "datatype": "FP32", "data": []}]}
    (output,) = client.post(INFER, json=nothing).json()["outputs"]
    assert (output["shape"], output["data"]) == ([0, 3, 3], [])


def test_a_body_in_chunks(client: httpx.Client):
    body = json.dumps(
        {"inputs": [{"name": "context", "shape": [1, CONTEXT], "datatype": "FP32", "data": ROW.tolist()}]}
    ).encode()
    answer = client.post(INFER, content=(body[at : at + 7] for at in range(0, len(body), 7)))
    assert answer.json()["outputs"][0]["data"][1] == 3.5


def test_shared_memory_is_refused(server: Server):
    tensor = triton_http.InferInput("context", [1, CONTEXT], "FP32")
    tensor.set_shared_memory("region", 4 * CONTEXT)
    with (
        triton_http.InferenceServerClient(f"127.0.0.1:{server.port}") as client,
        pytest.raises(InferenceServerException, match="Shared memory is not offered"),
    ):
        client.infer("mean", [tensor], headers=dict(HEADERS))


# L0_lifecycle


def test_orders_about_models_that_are_not_there(server: Server):
    with triton_http.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        with pytest.raises(InferenceServerException, match="No model 'unknown' was ever promoted"):
            client.load_model("unknown", headers=dict(HEADERS))
        with pytest.raises(InferenceServerException, match="No model 'unknown' was ever promoted"):
            client.unload_model("unknown", headers=dict(HEADERS))


@pytest.mark.parametrize("override", [{"config": "{}"}, {"files": {"file:1/model.onnx": b"another"}}])
@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_a_model_is_loaded_as_it_was_released(server: Server, module, override):
    port = server.port if module is triton_http else server.grpc_port
    with (
        module.InferenceServerClient(f"127.0.0.1:{port}") as client,
        pytest.raises(InferenceServerException, match="as it was released"),
    ):
        client.load_model("double", headers=dict(HEADERS), **({"config": "{}"} | override))


def test_a_model_out_of_service_says_so_and_harms_no_other(server: Server, client: httpx.Client):
    question = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "INT64", "data": [1, 2, 3, 4]}]}
    try:
        assert client.post("/v2/repository/models/double/unload").is_success
        assert client.get("/v2/models/double/ready").status_code == 503
        refused = client.post("/v2/models/double/infer", json=question)
        assert refused.status_code == 503
        assert "double" in refused.json()["error"]
        states = {(entry["name"], entry["state"]) for entry in client.post("/v2/repository/index").json()}
        assert {("double", "UNAVAILABLE"), ("mean", "READY")} <= states
        assert client.get("/v2/models/mean/ready").is_success
    finally:
        assert client.post("/v2/repository/models/double/load").is_success
    assert client.post("/v2/models/double/infer", json=question).json()["outputs"][0]["data"] == [2, 4, 6, 8]


def test_loads_and_unloads_at_once_end_in_what_was_ordered_last(server: Server, client: httpx.Client):
    def order(number: int) -> int:
        with server.client() as one:
            return one.post(f"/v2/repository/models/double/{('unload', 'load')[number % 2]}").status_code

    def ask(_number: int) -> int:
        with server.client(Role.VIEWER) as one:
            return one.post(INFER, content=ROW.tobytes(), headers={LENGTH: "0"}).status_code

    with ThreadPoolExecutor(8) as pool:
        orders, answers = pool.map(order, range(12)), pool.map(ask, range(40))
        assert set(answers) == {200}
        assert set(orders) <= {200, 503}
    assert client.post("/v2/repository/models/double/load").is_success
    assert client.get("/v2/models/double/ready").is_success


@pytest.mark.slow
def test_a_stop_while_models_load_is_a_clean_stop(city: City, tmp_path: Path):
    server = launch(settings_of(city.store_url, city.releases_url, free_port()), tmp_path / "log")
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        assert time.monotonic() < deadline, server.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.01)
    os.kill(server.process.pid, signal.SIGTERM)
    assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert "Traceback" not in server.log.read_text()


# L0_request_cancellation


def test_calls_that_are_cancelled_are_not_run(slow: Server, over_grpc):
    before = executed_rows(slow)
    calls = [over_grpc.async_infer(SLOW, slow_input(), lambda **_: None, headers=HEADERS) for _ in range(13)]
    for call in calls[1:]:
        call.cancel()
    over_grpc.infer(SLOW, slow_input(), headers=HEADERS)
    asked = len(calls) + 1
    assert executed_rows(slow) - before <= asked // 2 * ROWS, "the work of callers who left was done"


def test_a_cancelled_stream_leaves_the_server_well(slow: Server, over_grpc):
    told: list[object] = []
    over_grpc.start_stream(lambda result, error: told.append(error or result), headers=HEADERS)
    for _ in range(4):
        over_grpc.async_stream_infer(SLOW, slow_input())
    over_grpc.stop_stream(cancel_requests=True)
    assert len(told) <= 4
    assert over_grpc.infer(SLOW, slow_input(), headers=HEADERS).as_numpy("y").shape == (ROWS, 4)


# L0_client_timeout


def test_clients_that_give_up_are_told_and_the_server_goes_on(slow: Server, over_grpc):
    with pytest.raises(InferenceServerException, match=r"Deadline Exceeded|DEADLINE_EXCEEDED"):
        over_grpc.infer(SLOW, slow_input(), headers=HEADERS, client_timeout=0.001)
    with (
        triton_http.InferenceServerClient(f"127.0.0.1:{slow.port}", network_timeout=0.001) as hurried,
        pytest.raises(TimeoutError, match="timed out"),
    ):
        hurried.infer(SLOW, slow_input(triton_http), headers=dict(HEADERS))
    with triton_http.InferenceServerClient(f"127.0.0.1:{slow.port}") as patient:
        answer = patient.infer(SLOW, slow_input(triton_http), headers=dict(HEADERS))
        assert answer.as_numpy("y").shape == (ROWS, 4)
        with pytest.raises(InferenceServerException, match=r"deadline|not be answered"):
            patient.infer(SLOW, slow_input(triton_http), headers=dict(HEADERS), timeout=1)
    with pytest.raises(InferenceServerException, match=r"deadline|not be answered"):
        over_grpc.infer(SLOW, slow_input(), headers=HEADERS | {"x-deadline-ms": "0.001", "x-priority": "alarm"})
    with pytest.raises(InferenceServerException, match="none of alarm"):
        over_grpc.infer(SLOW, slow_input(), headers=HEADERS | {"x-priority": "urgent"})
    assert over_grpc.is_server_live(client_timeout=20)
    assert over_grpc.get_server_metadata(headers=HEADERS, client_timeout=20).name == "cityforge"


# L0_memory_growth


@pytest.mark.slow
def test_memory_does_not_grow_with_requests(server: Server):
    good = [{"name": "context", "shape": [1, CONTEXT], "datatype": "FP32", "data": ROW.tolist()}]
    bodies = [
        (INFER, json.dumps({"inputs": good}).encode(), {}),
        (INFER, ROW.tobytes() * 100, {LENGTH: "0"}),
        (INFER, b'{"inputs": [', {}),
        ("/v2/models/nothing/infer", b"{}", {}),
    ]
    process = psutil.Process(server.process.pid)

    def ask(client: httpx.Client, rounds: int) -> None:
        for _ in range(rounds):
            for path, body, headers in bodies:
                client.post(path, content=body, headers=headers)

    with server.client() as client:
        ask(client, 200)
        before = process.memory_info().rss
        ask(client, 600)
        grown_mib = (process.memory_info().rss - before) / 2**20
    assert grown_mib <= GROWTH_MIB
