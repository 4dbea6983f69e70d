"""The Open Inference Protocol over HTTP, by its own client and by hand."""

import gzip
import json
import re

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from serving import Role

from .city import CONTEXT
from .running import KEYS, Server

KEY = {"Authorization": f"Bearer {KEYS[Role.VIEWER]}"}
CONTEXTS = np.arange(2 * CONTEXT, dtype=np.float32).reshape(2, CONTEXT)
MEANS = CONTEXTS.mean(axis=1)


@pytest.fixture
def tritons(server: Server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield client
    client.close()


def ask(client: httpx.Client, inputs: object, model: str = "mean", **others: object) -> httpx.Response:
    return client.post(f"/v2/models/{model}/infer", json={"inputs": inputs, **others})


def context(data: object, shape: list[int] | None = None, datatype: str = "FP32") -> list[dict[str, object]]:
    return [{"name": "context", "shape": shape or [1, CONTEXT], "datatype": datatype, "data": data}]


def test_triton_client_reads_health_and_metadata(tritons):
    assert tritons.is_server_live()
    assert tritons.is_server_ready()
    assert tritons.is_model_ready("mean")
    assert tritons.is_model_ready("mean", "1")
    assert not tritons.is_model_ready("mean", "9")
    assert not tritons.is_model_ready("nothing")
    assert tritons.get_server_metadata(headers=dict(KEY))["name"] == "cityforge"
    metadata = tritons.get_model_metadata("mean", headers=dict(KEY))
    assert metadata["versions"] == ["1"]
    assert metadata["inputs"] == [{"name": "context", "datatype": "FP32", "shape": [-1, CONTEXT]}]
    assert metadata["outputs"] == [{"name": "quantiles", "datatype": "FP32", "shape": [-1, 3, 3]}]
    config = tritons.get_model_config("mean", headers=dict(KEY))
    assert config["input"] == [{"name": "context", "data_type": "TYPE_FP32", "dims": [CONTEXT]}]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_triton_client_infers_in_json_and_binary(tritons, binary_in, binary_out):
    tensor = triton.InferInput("context", list(CONTEXTS.shape), "FP32")
    tensor.set_data_from_numpy(CONTEXTS, binary_data=binary_in)
    wanted = [triton.InferRequestedOutput("quantiles", binary_data=binary_out)]
    result = tritons.infer("mean", [tensor], outputs=wanted, request_id="7", headers=dict(KEY))
    np.testing.assert_allclose(result.as_numpy("quantiles")[:, :, 1], np.tile(MEANS[:, None], (1, 3)), rtol=1e-6)
    assert result.get_response()["id"] == "7"
    assert result.get_response()["model_version"] == "1"


def test_triton_client_infers_without_naming_outputs(tritons):
    tensor = triton.InferInput("context", [1, CONTEXT], "FP32")
    holed = CONTEXTS[:1].copy()
    holed[0, 0] = np.nan
    tensor.set_data_from_numpy(holed)
    result = tritons.infer("mean", [tensor], headers=dict(KEY))
    np.testing.assert_allclose(result.as_numpy("quantiles")[0, 0], [3, 4, 5], rtol=1e-6)


def test_triton_client_is_told_of_errors(tritons):
    tensor = triton.InferInput("context", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 3), np.float32))
    with pytest.raises(InferenceServerException, match="must have shape"):
        tritons.infer("mean", [tensor], headers=dict(KEY))


def test_null_and_nan_stand_for_missing(client: httpx.Client):
    body = json.dumps({"inputs": context([None, float("nan"), 2, 2, 2, 2, 2, 2])})
    assert "NaN" in body
    answer = client.post("/v2/models/mean/infer", content=body)
    assert answer.status_code == 200
    assert answer.json()["outputs"][0]["data"] == [1, 2, 3] * 3


def test_nested_data_and_versions_are_taken(client: httpx.Client):
    body = {"inputs": context([[1.0] * CONTEXT])}
    assert client.post("/v2/models/mean/versions/1/infer", json=body).json()["outputs"][0]["data"][1] == 1
    assert client.post("/v2/models/mean/versions/2/infer", json=body).status_code == 404


def test_integers_stay_exact(client: httpx.Client):
    big = 2**60 + 1
    answer = ask(client, [{"name": "x", "shape": [1, 4], "datatype": "INT64", "data": [big, -1, 0, 1]}], "double")
    assert answer.json()["outputs"][0]["data"] == [2 * big, -2, 0, 2]


@pytest.mark.parametrize(
    ("inputs", "status", "said"),
    [
        (context([0] * 7), 422, "'context' has 7 elements"),
        (context([0] * 7, [1, 7]), 422, "'context' must have shape"),
        (context([0] * CONTEXT, [CONTEXT]), 422, "'context' must have shape"),
        (context(["a"] * CONTEXT), 422, "'context' holds str"),
        (context([True] * CONTEXT), 422, "'context' holds bool"),
        (context([0] * CONTEXT, datatype="INT32"), 422, "'context' must be float32, was int32"),
        (context([0] * CONTEXT, datatype="BYTES"), 422, "'context' has the datatype 'BYTES'"),
        (context([1e40] * CONTEXT), 422, "'context' holds infinite values"),
        (context([None] * CONTEXT), 422, "fewer than 2 readings in 1 of 1 rows: 0 \\(0\\)"),
        (context([[1, 2], [3]]), 422, "lists of different lengths"),
        (context([0] * CONTEXT, [1, -8]), 422, "has the shape"),
        ([{"name": "other", "shape": [1], "datatype": "FP32", "data": [1]}], 422, "missing: \\['context'\\]"),
        ([*context([0] * CONTEXT), *context([0] * CONTEXT)], 400, "stands twice"),
        ([{"shape": [1]}], 400, "'name'"),
        ("none", 400, "a list 'inputs'"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(client: httpx.Client, inputs, status, said):
    answer = ask(client, inputs)
    assert answer.status_code == status, answer.text

    assert re.search(said, answer.json()["error"]), answer.text


def test_broken_json_is_told_where(client: httpx.Client):
    answer = client.post("/v2/models/mean/infer", content=b'{"inputs": [\n  {"name": }]}')
    assert answer.status_code == 400
    assert "line 2, column 12" in answer.json()["error"]


def test_raw_bytes_must_be_those_announced(client: httpx.Client):
    tensor = {"name": "context", "shape": [1, CONTEXT], "datatype": "FP32", "parameters": {"binary_data_size": 32}}
    head = json.dumps({"inputs": [tensor]}).encode()

    def send(tail: bytes, length: object = len(head)) -> httpx.Response:
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        return client.post("/v2/models/mean/infer", content=head + tail, headers=headers)

    assert send(bytes(32)).status_code == 200
    assert "announce 32" in send(bytes(40)).json()["error"]
    assert "31 are left" in send(bytes(31)).json()["error"]
    assert "must be the length" in send(bytes(32), 10**6).json()["error"]
    assert "must be the length" in send(bytes(32), "x").json()["error"]
    assert send(bytes(32), None).status_code == 400


def test_an_output_that_is_not_there_is_refused(client: httpx.Client):
    answer = ask(client, context([0] * CONTEXT), outputs=[{"name": "nothing"}])
    assert answer.status_code == 422
    assert "gives no output 'nothing'" in answer.json()["error"]


def test_an_unknown_model_is_404_and_makes_no_metric(client: httpx.Client):
    assert ask(client, context([0] * CONTEXT), "made-up-by-a-client").status_code == 404
    assert "made-up-by-a-client" not in client.get("/metrics").text
    assert ask(client, context([0] * CONTEXT)).status_code == 200
    assert 'cityforge_inferences_total{model="mean",outcome="answered"}' in client.get("/metrics").text


def test_a_body_that_is_too_long_is_refused_unread(server: Server):
    with server.client() as client:
        answer = client.post("/v2/models/mean/infer", content=bytes(2_000_000))
        assert answer.status_code == 413
        assert "at most 1000000" in answer.json()["error"]


def test_a_chunked_body_is_cut_off_at_the_limit(server: Server):
    def chunks():
        for _ in range(40):
            yield bytes(50_000)

    with server.client() as client:
        assert client.post("/readings", content=chunks()).status_code == 413


@pytest.mark.parametrize("way", ["gzip", "deflate"])
def test_triton_client_packs_and_unpacks(tritons, way):
    tensor = triton.InferInput("context", list(CONTEXTS.shape), "FP32")
    tensor.set_data_from_numpy(CONTEXTS)
    packed = {"request_compression_algorithm": way, "response_compression_algorithm": way}
    result = tritons.infer("mean", [tensor], headers=dict(KEY), **packed)
    np.testing.assert_allclose(result.as_numpy("quantiles")[:, 0, 1], MEANS, rtol=1e-6)


def test_an_answer_is_packed_only_for_who_names_one_way(client: httpx.Client):
    body = {"inputs": context([1.0] * CONTEXT)}
    one = client.post("/v2/models/mean/infer", json=body, headers={"Accept-Encoding": "gzip"})
    many = client.post("/v2/models/mean/infer", json=body, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert one.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in many.headers
    assert one.json() == many.json()


@pytest.mark.parametrize(
    ("way", "body", "status", "said"),
    [
        ("gzip", gzip.compress(bytes(5_000_000)), 413, "at most 1000000"),
        ("gzip", gzip.compress(b'{"inputs": []}')[:-10], 400, "ends before its end"),
        ("gzip", b"not packed", 400, "not packed as its Content-Encoding says"),
        ("br", b"packed otherwise", 415, "'br' is not taken"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_told_why(client: httpx.Client, way, body, status, said):
    """The first unpacks to five megabytes: it is given up at the limit, not unpacked and then measured."""
    for path in ("/v2/models/mean/infer", "/readings"):
        answer = client.post(path, content=body, headers={"Content-Encoding": way})
        assert answer.status_code == status
        assert said in answer.json()["error"]
