"""The exported model repository, read back with Triton's own schema and run from its own files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from contracts import ArtefactError, DType, StoreError
from gpu import open_session
from models.vision import SIGNATURE
from registry import export_repository, triton_config
from tests.serving.city import CONTEXT, City, doubler, populated


@pytest.fixture
def city(tmp_path: Path):
    made = populated(tmp_path)
    yield made
    made.close()


def read_config(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_every_champion_is_written_as_triton_reads_it(city: City, tmp_path: Path):
    folder = tmp_path / "models"
    exported = export_repository(city.store, city.releases, folder)
    assert [(model.name, model.version) for model in exported] == [("double", 4), ("mean", 1), ("seasonal", 1)]
    config = read_config((folder / "mean" / "config.pbtxt").read_text())
    assert (config.name, config.platform, config.backend) == ("mean", "onnxruntime_onnx", "onnxruntime")
    assert (config.input[0].name, config.input[0].data_type, list(config.input[0].dims)) == (
        "context",
        model_config_pb2.TYPE_FP32,
        [CONTEXT],
    )
    assert list(config.output[0].dims) == [3, 3]
    assert config.max_batch_size == 256
    assert config.dynamic_batching.priority_levels == 3
    assert config.model_warmup[0].inputs["context"].zero_data
    file = folder / "mean" / "1" / config.default_model_filename
    assert hashlib.sha256(file.read_bytes()).hexdigest() == config.parameters["cityforge.sha256"].string_value
    answer = open_session(file).run({"context": np.full((2, CONTEXT), 7, np.float32)})
    np.testing.assert_allclose(answer["quantiles"][:, :, 1], 7)


def test_a_graph_without_a_batch_axis_is_not_batched(city: City):
    manifest = city.release("potholes", 1, doubler(DType.FLOAT32)[0], SIGNATURE)
    config = read_config(triton_config(manifest))
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [-1, -1, 3]
    assert config.input[0].data_type == model_config_pb2.TYPE_UINT8
    assert not config.HasField("dynamic_batching")
    assert not config.model_warmup


def test_an_export_replaces_an_earlier_one_and_nothing_else(city: City, tmp_path: Path):
    folder = tmp_path / "models"
    export_repository(city.store, city.releases, folder)
    city.promote(city.release_mean(2, shift=5))
    export_repository(city.store, city.releases, folder)
    assert sorted(path.name for path in (folder / "mean").iterdir()) == ["2", "config.pbtxt"]
    assert json.loads((folder / "cityforge-export.json").read_text())["mean"]["version"] == 2
    (folder / "mine").mkdir()
    with pytest.raises(StoreError, match="holds mine, which no export wrote"):
        export_repository(city.store, city.releases, folder)


def test_a_damaged_release_is_not_exported(city: City, tmp_path: Path):
    folder = tmp_path / "models"
    export_repository(city.store, city.releases, folder)
    manifest = city.release_mean(2, shift=5)
    city.promote(manifest)
    (Path(city.releases_url) / manifest.sha256 / "model.onnx").write_bytes(b"broken")
    with pytest.raises(ArtefactError, match="sha256"):
        export_repository(city.store, city.releases, folder)
    assert (folder / "mean" / "1" / "model.onnx").is_file()
