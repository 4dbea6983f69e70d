"""Ray Serve as its documentation writes a deployment, one replica."""

import os
import sys
import threading

import numpy as np
import onnxruntime
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=32)
class Forecast:
    """One model."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    async def __call__(self, request: Request) -> dict:
        """Forecast."""
        if request.method == "GET":
            return {}
        document = await request.json()
        (found,) = self.session.run(None, {"context": np.asarray(document["context"], np.float32)})
        return {"quantiles": found.tolist()}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1]), "access_log": False})
    serve.run(Forecast.bind(os.environ["MODEL"]), route_prefix="/")
    threading.Event().wait()
