"""The least that a Python server can do: an ASGI function under uvicorn with uvloop and httptools."""

import os
import sys

import numpy as np
import onnxruntime
import orjson
import uvicorn

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


async def app(scope, receive, send):
    """Answer an Open Inference request without looking at anything twice."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if body:
        tensor = orjson.loads(body)["inputs"][0]
        context = np.asarray(tensor["data"], np.float32).reshape(tensor["shape"])
        (found,) = session.run(None, {"context": context})
        entry = {"name": "quantiles", "shape": found.shape, "datatype": "FP32", "data": found.reshape(-1)}
        content = orjson.dumps({"outputs": [entry]}, option=orjson.OPT_SERIALIZE_NUMPY)
    else:
        content = b"ready"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
