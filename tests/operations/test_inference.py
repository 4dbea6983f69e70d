from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import SecretStr

from contracts import AccessError, Array, ForecastSpec, OverloadedError, ServiceError, TensorError
from early_warning import ForecastRequest
from gpu import open_session
from operations import Answer, LocalModels
from operations.inference import ServedModels, decode_response, encode_request
from operations.patience import PatientModels, Stopped
from operations.questions import ask
from tests.early_warning.worlds import MODEL, SPEC, START_MS, write_forecaster

from .served import Served, serve

CONTEXT = np.full((3, SPEC.context), 100, dtype=np.float32)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    path = write_forecaster(tmp_path_factory.mktemp("model") / "mean.onnx")
    return Served({MODEL: (open_session(path), 4)}, key="k")


def models(url: str, key: str = "k") -> ServedModels:
    return ServedModels(url, SecretStr(key), timeout_s=10)


def test_an_answer_over_http_is_the_local_one_bit_by_bit(served: Served) -> None:
    context = CONTEXT + np.random.default_rng(1).standard_normal(CONTEXT.shape).astype(np.float32)
    context[1, :5] = np.nan
    with serve(served), models(served.url) as asked:
        answer = asked.infer(MODEL, {"context": context})
    local = LocalModels(served.sessions).infer(MODEL, {"context": context})
    assert local is not None
    assert answer.version == 4
    assert answer.quantiles.tobytes() == local.quantiles.tobytes()


def test_what_may_pass_is_worth_another_try(served: Served) -> None:
    served.failures[:] = [404, 408, 429, 500, 503]
    with serve(served), models(served.url) as asked:
        for code in list(served.failures):
            with pytest.raises(OverloadedError, match=f"answered {code}"):
                asked.infer(MODEL, {"context": CONTEXT})
        assert asked.infer(MODEL, {"context": CONTEXT}).quantiles.shape == (3, 3, 5)


def test_what_will_not_pass_is_told(served: Served) -> None:
    served.failures[:] = [422]
    with serve(served), models(served.url) as asked, pytest.raises(ServiceError, match="422"):
        asked.infer(MODEL, {"context": CONTEXT})
    with serve(served), models(served.url, "wrong") as asked, pytest.raises(AccessError, match="whose role"):
        asked.infer(MODEL, {"context": CONTEXT})


def test_a_server_that_is_gone_is_worth_another_try() -> None:
    with models("http://127.0.0.1:9") as asked, pytest.raises(OverloadedError, match="Is it running"):
        asked.infer(MODEL, {"context": CONTEXT})


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4)), elements=st.floats(width=32)))
def test_tensors_are_sent_bit_by_bit(array: np.ndarray) -> None:
    body, length = encode_request({"context": array})
    assert body[length:] == array.tobytes()


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"no json", None),
        (b'{"outputs": []}', None),
        (b'{"model_version": "1"}', None),
        (b"{}", "x"),
        (b'{"model_version": "1", "outputs": [{"name": "quantiles", "shape": [9]}]}', None),
    ],
)
def test_an_answer_off_the_protocol_is_told(content: bytes, length: str | None) -> None:
    with pytest.raises(ServiceError, match="Serving's answer"):
        decode_response(content, length)


class Away:
    """Away for a number of questions."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def infer(self, model: str, feeds: Mapping[str, Array]) -> Answer | None:
        self.asked += 1
        if self.asked <= self.times:
            message = "away"
            raise OverloadedError(message, 0.001)
        return Answer(np.zeros((1, 3, 5), np.float32), 1)


def test_patience_asks_again_and_keeps_the_lease_meanwhile() -> None:
    kept: list[int] = []
    away = Away(3)
    patient = PatientModels(away, 30, threading.Event(), lambda: kept.append(1))
    assert patient.infer(MODEL, {}) is not None
    assert len(kept) == 3


def test_a_silent_model_is_asked_once_until_it_speaks_again() -> None:
    away = Away(2)
    patient = PatientModels(away, 0, threading.Event(), lambda: None)
    assert patient.infer(MODEL, {}) is None
    assert patient.infer(MODEL, {}) is None
    assert patient.infer(MODEL, {}) is not None
    assert away.asked == 3


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        PatientModels(Away(10**6), 30, stop, lambda: None).infer(MODEL, {})


def request(spec: ForecastSpec = SPEC) -> ForecastRequest:
    return ForecastRequest("pump.flow", MODEL, spec, START_MS, CONTEXT[0], None)


def test_a_model_that_breaks_its_declaration_is_told(tmp_path: Path) -> None:
    local = LocalModels({MODEL: (open_session(write_forecaster(tmp_path / "mean.onnx")), 1)})
    assert list(ask([request()], local)) == ["pump.flow"]
    with pytest.raises(TensorError, match="Check that its manifest tells the truth"):
        ask([request(SPEC.model_copy(update={"horizon": 9}))], local)
