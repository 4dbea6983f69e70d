"""The Open Inference Protocol over gRPC, by its own client and by hand."""

import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tritonclient.grpc import service_pb2 as published
from tritonclient.utils import InferenceServerException

import serving.protocol
from serving import Role
from serving.protocol.messages import HEALTH, calls_of, message_class

from .city import CONTEXT
from .running import KEYS, Server

KEY = {"authorization": f"Bearer {KEYS[Role.VIEWER]}"}
CONTEXTS = np.arange(2 * CONTEXT, dtype=np.float32).reshape(2, CONTEXT)
MEANS = CONTEXTS.mean(axis=1)
Code = grpc.StatusCode
SERVICE = "/inference.GRPCInferenceService/"


@pytest.fixture(scope="module")
def tritons(server: Server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        yield client


@pytest.fixture(scope="module")
def channel(server: Server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


def call(channel: grpc.Channel, name: str, request: object, *, role: Role | None = Role.VIEWER, **others: object):
    """Make a call with the published messages."""
    reply = getattr(published, f"{name}Response")
    method = channel.unary_unary(SERVICE + name, lambda message: message.SerializeToString(), reply.FromString)
    metadata = [] if role is None else [("authorization", f"Bearer {KEYS[role]}")]
    return method(request, metadata=[*metadata, *others.pop("metadata", [])], timeout=others.pop("timeout", 20))


def request_of(array: np.ndarray, model: str = "mean", **others: object) -> published.ModelInferRequest:
    request = published.ModelInferRequest(model_name=model, raw_input_contents=[array.tobytes()], **others)
    request.inputs.add(name="context", datatype="FP32", shape=array.shape)
    return request


def refusal(channel: grpc.Channel, request: object, **others: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError, match="StatusCode") as caught:
        call(channel, "ModelInfer", request, **others)
    return caught.value.code(), caught.value.details()


def test_the_compiled_descriptors_are_those_of_the_proto_files(tmp_path: Path):
    folder, made = Path(serving.protocol.__file__).parent, tmp_path / "made"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "--proto_path",
        str(folder),
        "--descriptor_set_out",
        str(made),
    ]
    subprocess.run([*command, "open_inference.proto", "health.proto"], check=True, cwd=folder)
    kept = FileDescriptorSet.FromString((folder / "open_inference.binpb").read_bytes())
    assert kept == FileDescriptorSet.FromString(made.read_bytes())


def test_every_field_has_the_name_number_and_type_of_the_published_protocol():
    ours = FileDescriptorSet.FromString(
        (Path(serving.protocol.__file__).parent / "open_inference.binpb").read_bytes()
    ).file[0]
    theirs = [FileDescriptorProto(), FileDescriptorProto()]
    published.DESCRIPTOR.CopyToProto(theirs[0])
    next(iter(published.DESCRIPTOR.dependencies)).CopyToProto(theirs[1])

    def fields(files: list[FileDescriptorProto]) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for file in files:
            for message in file.message_type:
                for each in (message, *message.nested_type):
                    path = message.name if each is message else f"{message.name}.{each.name}"
                    for field in each.field:
                        found[f"{path}.{field.name}"] = (field.number, field.type, field.label, field.type_name)
        return found

    known = fields(theirs)
    assert {name: known.get(name) for name in fields([ours])} == fields([ours])

    def calls(file: FileDescriptorProto) -> dict[str, tuple[object, ...]]:
        return {
            each.name: (each.input_type, each.output_type, each.client_streaming, each.server_streaming)
            for each in file.service[0].method
        }

    assert calls(ours).items() <= calls(theirs[0]).items()


def test_health_and_metadata(tritons):
    assert tritons.is_server_live()
    assert tritons.is_server_ready()
    assert tritons.is_model_ready("mean")
    assert tritons.is_model_ready("mean", "1")
    assert not tritons.is_model_ready("mean", "9")
    assert not tritons.is_model_ready("nothing")
    assert tritons.get_server_metadata(headers=KEY).name == "cityforge"
    metadata = tritons.get_model_metadata("mean", headers=KEY, as_json=True)
    assert metadata["versions"] == ["1"]
    assert metadata["inputs"] == [{"name": "context", "datatype": "FP32", "shape": ["-1", str(CONTEXT)]}]
    config = tritons.get_model_config("mean", headers=KEY, as_json=True)["config"]
    assert config["input"] == [{"name": "context", "data_type": "TYPE_FP32", "dims": [str(CONTEXT)]}]
    assert config["max_batch_size"] == 4096


def test_the_health_check_of_grpc_itself_needs_no_key(channel):
    kind, reply = calls_of(HEALTH)["Check"]
    check = channel.unary_unary(f"/{HEALTH}/Check", lambda message: message.SerializeToString(), reply.FromString)
    assert [check(kind(service=name), timeout=20).status for name in ("", "mean", "nothing")] == [1, 1, 3]


def test_raw_tensors_both_ways(tritons):
    tensor = triton.InferInput("context", list(CONTEXTS.shape), "FP32")
    tensor.set_data_from_numpy(CONTEXTS)
    wanted = [triton.InferRequestedOutput("quantiles")]
    result = tritons.infer("mean", [tensor], outputs=wanted, request_id="7", headers=KEY)
    np.testing.assert_allclose(result.as_numpy("quantiles")[:, :, 1], np.tile(MEANS[:, None], (1, 3)), rtol=1e-6)
    assert result.get_response().id == "7"
    assert result.get_response().model_version == "1"
    assert len(result.get_response().raw_output_contents) == 1


def test_typed_contents_both_ways(channel):
    request = published.ModelInferRequest(model_name="double", model_version="4")
    tensor = request.inputs.add(name="x", datatype="INT64", shape=[1, 4])
    tensor.contents.int64_contents.extend([2**60 + 1, -1, 0, 1])
    answer = call(channel, "ModelInfer", request)
    assert list(answer.outputs[0].contents.int64_contents) == [2 * (2**60 + 1), -2, 0, 2]
    assert not answer.raw_output_contents


def test_a_missing_value_is_nan(tritons):
    holed = CONTEXTS[:1].copy()
    holed[0, 0] = np.nan
    tensor = triton.InferInput("context", [1, CONTEXT], "FP32")
    tensor.set_data_from_numpy(holed)
    np.testing.assert_allclose(tritons.infer("mean", [tensor], headers=KEY).as_numpy("quantiles")[0, 0], [3, 4, 5])


def test_a_stream_answers_in_order_and_outlives_an_error(tritons, server: Server):
    answers: list[tuple[object, object]] = []
    with triton.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        client.start_stream(lambda result, error: answers.append((result, error)), headers=KEY)
        for width in (CONTEXT, 3, CONTEXT):
            tensor = triton.InferInput("context", [1, width], "FP32")
            tensor.set_data_from_numpy(np.full((1, width), width, np.float32))
            client.async_stream_infer("mean", [tensor])
        client.stop_stream()
    assert [result is not None for result, _ in answers] == [True, False, True]
    assert "must have shape" in str(answers[1][1])


def test_statistics_count_what_was_asked(tritons):
    def of_mean() -> dict[str, object]:
        return tritons.get_inference_statistics("mean", "1", headers=KEY, as_json=True)["model_stats"][0]

    tensor = triton.InferInput("context", list(CONTEXTS.shape), "FP32")
    tensor.set_data_from_numpy(CONTEXTS)
    tritons.infer("mean", [tensor], headers=KEY)
    before = of_mean()
    tritons.infer("mean", [tensor], headers=KEY)
    after = of_mean()
    assert int(after["inference_count"]) == int(before["inference_count"]) + 2
    assert int(after["execution_count"]) == int(before["execution_count"]) + 1
    stats = after["inference_stats"]
    assert int(stats["success"]["count"]) == int(before["inference_stats"]["success"]["count"]) + 1
    parts = sum(int(stats[part].get("ns", 0)) for part in ("queue", "compute_input", "compute_infer", "compute_output"))
    assert 0 < parts <= int(stats["success"]["ns"])
    assert any(int(batch.get("batch_size", 0)) == 2 for batch in after["batch_stats"])


def test_keys_and_roles(channel, tritons):
    assert refusal(channel, request_of(CONTEXTS), role=None)[0] is Code.UNAUTHENTICATED
    wrong = [("authorization", "Bearer no")]
    assert refusal(channel, request_of(CONTEXTS), role=None, metadata=wrong)[0] is Code.UNAUTHENTICATED
    keyed = [("x-api-key", KEYS[Role.VIEWER])]
    assert call(channel, "ModelInfer", request_of(CONTEXTS), role=None, metadata=keyed).outputs
    with pytest.raises(InferenceServerException, match="needs the role 'engineer'"):
        tritons.unload_model("mean", headers=KEY)
    with pytest.raises(InferenceServerException, match="needs an API key"):
        tritons.get_model_metadata("mean")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda r: r.inputs[0].shape.__setitem__(1, 7), Code.INVALID_ARGUMENT, "asks for 14"),
        (lambda r: r.inputs[0].shape.__setitem__(0, -2), Code.INVALID_ARGUMENT, "has the shape"),
        (lambda r: r.inputs[0].shape.extend([2**62, 2**62]), Code.INVALID_ARGUMENT, "asks for"),
        (lambda r: setattr(r.inputs[0], "datatype", "FP64"), Code.INVALID_ARGUMENT, "asks for 16"),
        (lambda r: setattr(r.inputs[0], "datatype", "BYTES"), Code.INVALID_ARGUMENT, "datatype 'BYTES'"),
        (lambda r: setattr(r.inputs[0], "name", "other"), Code.INVALID_ARGUMENT, "unknown: ['other']"),
        (lambda r: r.inputs.add(name="more"), Code.INVALID_ARGUMENT, "2 inputs, but raw contents for 1"),
        (lambda r: r.ClearField("inputs"), Code.INVALID_ARGUMENT, "0 inputs, but raw contents for 1"),
        (lambda r: r.ClearField("raw_input_contents"), Code.INVALID_ARGUMENT, "has 0 elements"),
        (lambda r: r.inputs[0].contents.fp32_contents.append(1), Code.INVALID_ARGUMENT, "both raw and typed"),
        (lambda r: r.outputs.add(name="nothing"), Code.INVALID_ARGUMENT, "gives no output 'nothing'"),
        (lambda r: setattr(r, "model_name", "nothing"), Code.NOT_FOUND, "No model 'nothing'"),
        (lambda r: setattr(r, "model_version", "9"), Code.NOT_FOUND, "Version '9'"),
        (lambda r: r.parameters["priority"].MergeFrom(published.InferParameter(int64_param=9)),
         Code.INVALID_ARGUMENT, "priority 9"),
        (lambda r: r.inputs[0].parameters["shared_memory_region"].MergeFrom(published.InferParameter(string_param="x")),
         Code.INVALID_ARGUMENT, "Shared memory is not offered"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_is_wrong(channel, change, code, said):
    request = request_of(CONTEXTS)
    change(request)
    given, details = refusal(channel, request)
    assert given is code, details
    assert said in details


def test_values_in_the_wrong_field_are_refused(channel):
    request = published.ModelInferRequest(model_name="mean")
    tensor = request.inputs.add(name="context", datatype="FP32", shape=[1, CONTEXT])
    tensor.contents.int_contents.extend([1] * CONTEXT)
    code, details = refusal(channel, request)
    assert code is Code.INVALID_ARGUMENT
    assert "'fp32_contents', was in ['int_contents']" in details


def test_bytes_that_are_no_message_are_refused(channel):
    method = channel.unary_unary(SERVICE + "ModelInfer")
    with pytest.raises(grpc.RpcError, match=r"is no inference\.ModelInferRequest") as caught:
        method(b"\xff\xff\xff\xff", metadata=list(KEY.items()), timeout=20)
    assert caught.value.code() is Code.INVALID_ARGUMENT


def test_a_message_that_is_too_large_is_refused(channel):
    code, details = refusal(channel, request_of(np.zeros((40_000, CONTEXT), np.float32)))
    assert code is Code.RESOURCE_EXHAUSTED
    assert "larger than max" in details


def test_a_call_that_is_not_offered_is_unimplemented(channel):
    with pytest.raises(grpc.RpcError, match="StatusCode") as caught:
        call(channel, "SystemSharedMemoryStatus", published.SystemSharedMemoryStatusRequest())
    assert caught.value.code() is Code.UNIMPLEMENTED


def test_our_messages_load_beside_a_clients():
    assert message_class("inference.ModelInferRequest") is not published.ModelInferRequest


def test_a_model_is_unloaded_and_loaded_by_an_order(tritons, client: httpx.Client):
    engineer = {"authorization": f"Bearer {KEYS[Role.ENGINEER]}"}
    tensor = triton.InferInput("x", [1, 4], "INT64")
    tensor.set_data_from_numpy(np.ones((1, 4), np.int64))

    def states() -> dict[str, tuple[str, str]]:
        found = tritons.get_model_repository_index(headers=KEY).models
        return {model.name: (model.state, model.reason) for model in found}

    assert states()["double"] == ("READY", "")
    tritons.unload_model("double", headers=engineer)
    try:
        assert states()["double"] == ("UNAVAILABLE", "unloaded")
        assert not tritons.is_model_ready("double")
        assert tritons.is_server_ready()
        with pytest.raises(InferenceServerException, match="taken out of service"):
            tritons.infer("double", [tensor], headers=KEY)
    finally:
        tritons.load_model("double", headers=engineer)
    assert tritons.infer("double", [tensor], headers=KEY).as_numpy("y").tolist() == [[2, 2, 2, 2]]
    with pytest.raises(InferenceServerException, match="was ever promoted"):
        tritons.load_model("nothing", headers=engineer)
    assert client.get("/status").json()["ready"]
