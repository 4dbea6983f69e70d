from __future__ import annotations

import pytest
from onnx import TensorProto

from contracts import ArtefactError, AxisName, DType
from gpu import FORECAST_KEY, SIGNATURE_KEY, open_session

from .graphs import SIGNATURE, elementwise, linear_forecaster


@pytest.mark.parametrize(
    ("shape", "axes", "sizes"),
    [
        (["batch", 3, 320, 320], ["batch", "channel", "height", "width"], (None, 3, 320, 320)),
        (["n", 3, "height", "width"], ["batch", "channel", "height", "width"], (None, 3, None, None)),
        (["batch", "time", 2], ["batch", "time", "feature"], (None, None, 2)),
        ([1, 7], ["batch", "feature"], (1, 7)),
    ],
)
def test_axes_are_derived_from_the_shapes(
    shape: list[int | str], axes: list[str], sizes: tuple[int | None, ...]
) -> None:
    tensor = open_session(elementwise(TensorProto.FLOAT, shape)).signature.inputs[0]
    assert [axis.name for axis in tensor.axes] == [AxisName(name) for name in axes]
    assert tensor.shape == sizes


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (TensorProto.FLOAT, DType.FLOAT32),
        (TensorProto.FLOAT16, DType.FLOAT16),
        (TensorProto.DOUBLE, DType.FLOAT64),
        (TensorProto.INT64, DType.INT64),
        (TensorProto.INT32, DType.INT32),
        (TensorProto.INT8, DType.INT8),
        (TensorProto.UINT8, DType.UINT8),
        (TensorProto.BOOL, DType.BOOL),
    ],
)
def test_element_types_are_read(element: int, dtype: DType) -> None:
    assert open_session(elementwise(element, ["batch"])).signature.outputs[0].dtype is dtype


def test_text_tensors_are_refused_with_the_types_that_serve() -> None:
    with pytest.raises(ArtefactError, match=r"'x'.*has type 'tensor\(string\)'.*tensor\(float\)"):
        open_session(elementwise(TensorProto.STRING, ["batch"]))


def test_a_signature_that_contradicts_the_graph_is_refused() -> None:
    other = SIGNATURE.model_dump_json().replace('"size":4', '"size":5')
    with pytest.raises(ArtefactError, match=r"declares the inputs context: float32\[None, 5\].*\[None, 4\]"):
        open_session(linear_forecaster({SIGNATURE_KEY: other}))


@pytest.mark.parametrize("key", [SIGNATURE_KEY, FORECAST_KEY])
def test_broken_declarations_are_refused(key: str) -> None:
    with pytest.raises(ArtefactError, match="cannot be used"):
        open_session(linear_forecaster({key: '{"inputs": 3}'}))
