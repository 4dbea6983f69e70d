"""LitServe as its documentation writes a server; ``--batched`` collects requests."""

import os
import sys

import litserve
import numpy as np
import onnxruntime


class Forecast(litserve.LitAPI):
    """One model."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the library's signature
        """Open the model on one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: dict) -> np.ndarray:
        """Return the context."""
        return np.asarray(request["context"], np.float32)

    def batch(self, inputs: list) -> np.ndarray:
        """Join requests."""
        return np.concatenate(inputs)

    def unbatch(self, output: np.ndarray) -> list:
        """Part the answers."""
        return [output[i : i + 1] for i in range(len(output))]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast."""
        return self.session.run(None, {"context": x})[0]

    def encode_response(self, output: np.ndarray) -> dict:
        """Return JSON."""
        return {"quantiles": output.tolist()}


if __name__ == "__main__":
    batching = {"max_batch_size": 16, "batch_timeout": 0.001} if "--batched" in sys.argv else {}
    server = litserve.LitServer(Forecast(**batching), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
