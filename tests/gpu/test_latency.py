from __future__ import annotations

import numpy as np
import pytest

from contracts import TensorError
from gpu import measure_latency, open_session

from .graphs import CONTEXT, declared_forecaster


def test_percentiles_are_ordered_and_positive() -> None:
    session = open_session(declared_forecaster())
    latency = measure_latency(session, {"context": np.zeros((1, CONTEXT), np.float32)}, runs=50)
    assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms


def test_no_run_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="At least one run"):
        measure_latency(open_session(declared_forecaster()), {}, runs=0)


def test_a_wrong_request_is_no_latency() -> None:
    with pytest.raises(TensorError, match="does not fit"):
        measure_latency(open_session(declared_forecaster()), {}, runs=1)
