import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import Axis, AxisName, DType, Signature, TensorError, TensorSpec

CONTEXT = TensorSpec(
    name="context", axes=(Axis(name=AxisName.BATCH), Axis(name=AxisName.TIME, size=4)), unit="l/s", missing=True
)
CALENDAR = TensorSpec(name="calendar", axes=(Axis(name=AxisName.BATCH), Axis(name=AxisName.FEATURE, size=2)))
QUANTILES = TensorSpec(name="quantiles", axes=(Axis(name=AxisName.BATCH), Axis(name=AxisName.QUANTILE, size=3)))
SIGNATURE = Signature(inputs=(CONTEXT, CALENDAR), outputs=(QUANTILES,))


def feeds(batch: int) -> dict[str, np.ndarray]:
    return {"context": np.zeros((batch, 4), np.float32), "calendar": np.zeros((batch, 2), np.float32)}


@given(st.integers(min_value=1, max_value=50))
def test_the_batch_size_is_found(batch: int):
    assert SIGNATURE.check_inputs(feeds(batch)) == batch


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": np.zeros((1, 4))}, "must be float32, was float64"),
        ({"context": np.zeros((1, 5), np.float32)}, r"shape \(batch=any, time=4\), was \(1, 5\)"),
        ({"context": np.zeros((2, 4), np.float32)}, r"one batch size, were \[1, 2\]"),
        ({"context": np.full((1, 4), np.inf, np.float32)}, "infinite"),
        ({"calendar": np.full((1, 2), np.nan, np.float32)}, "declares no missing values"),
        ({"extra": np.zeros(1, np.float32)}, r"unknown: \['extra'\]"),
    ],
)
def test_a_wrong_input_is_named(change: dict[str, np.ndarray], message: str):
    with pytest.raises(TensorError, match=message):
        SIGNATURE.check_inputs(feeds(1) | change)


def test_missing_values_are_welcome_where_declared():
    assert SIGNATURE.check_inputs(feeds(1) | {"context": np.full((1, 4), np.nan, np.float32)}) == 1


def test_a_missing_input_is_named():
    with pytest.raises(TensorError, match=r"missing: \['calendar'\]"):
        SIGNATURE.check_inputs({"context": np.zeros((1, 4), np.float32)})


def test_names_are_unique():
    with pytest.raises(ValidationError, match="unique"):
        Signature(inputs=(CONTEXT, CONTEXT), outputs=(QUANTILES,))


def test_dynamic_axes_and_protocol_names_come_from_the_declaration():
    assert CONTEXT.dynamic_axes == {0: "batch"}
    assert CONTEXT.shape == (None, 4)
    assert [dtype.open_inference_name for dtype in (DType.FLOAT32, DType.UINT8)] == ["FP32", "UINT8"]
