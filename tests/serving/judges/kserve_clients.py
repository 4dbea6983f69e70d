"""A program of KServe's users: both clients ask a server, and say as JSON what they were told.

It runs in the environment of ``make judges``, which knows KServe and nothing of ours.
"""

import asyncio
import json
import os
import sys

import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL, SHAPE = "mean", (2, 8)
VALUES = np.arange(16, dtype=np.float32).reshape(SHAPE)


def question(*, binary: bool, raw_answer: bool = False) -> InferRequest:
    tensor = InferInput("context", list(SHAPE), "FP32")
    tensor.set_data_from_numpy(VALUES, binary_data=binary)
    wanted = [RequestedOutput("quantiles", {"binary_data": raw_answer})]
    return InferRequest(MODEL, [tensor], request_id="7", request_outputs=wanted)


def told(answer: object) -> dict[str, object]:
    (output,) = answer.outputs
    return {
        "id": answer.id,
        "version": answer.model_version,
        "shape": list(output.shape),
        "medians": output.as_numpy()[:, 0, 1].tolist(),
    }


async def ask_over_http(url: str, key: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {key}"}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        found = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model": await client.is_model_ready(url, MODEL),
            "nothing": await client.is_model_ready(url, "nothing"),
        }
        for name, binary in (("json", False), ("binary", True)):
            answer = await client.infer(url, question(binary=binary, raw_answer=binary), MODEL, headers=dict(headers))
            found[name] = told(answer)
        try:
            await client.infer(url, question(binary=True), "nothing", headers=dict(headers))
        except httpx.HTTPStatusError as exc:
            found["refusal"] = str(exc)
        return found


async def ask_over_grpc(address: str, key: str) -> dict[str, object]:
    headers = (("authorization", f"Bearer {key}"),)
    async with InferenceGRPCClient(address) as client:
        return {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model": await client.is_model_ready(MODEL),
            "json": told(await client.infer(question(binary=False), headers=headers)),
            "binary": told(await client.infer(question(binary=True), headers=headers)),
        }


async def main(url: str, address: str) -> None:
    key = os.environ["KEY"]
    found = {"rest": await ask_over_http(url, key), "grpc": await ask_over_grpc(address, key)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
