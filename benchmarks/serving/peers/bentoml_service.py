"""BentoML as its documentation writes a service: one method over NumPy arrays, alone and batchable."""

import os

import bentoml
import numpy as np
import onnxruntime


def open_model() -> onnxruntime.InferenceSession:
    """Open the model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


@bentoml.service(workers=1)
class Stock:
    """The plain form."""

    def __init__(self) -> None:
        self.session = open_model()

    @bentoml.api
    def predict(self, context: np.ndarray) -> np.ndarray:
        """Forecast."""
        return self.session.run(None, {"context": context.astype(np.float32)})[0]


@bentoml.service(workers=1, traffic={"timeout": 60})
class Batched:
    """The form that batches."""

    def __init__(self) -> None:
        self.session = open_model()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, context: np.ndarray) -> np.ndarray:
        """Forecast."""
        return self.session.run(None, {"context": context.astype(np.float32)})[0]
