"""The Open Inference Protocol, version 2: requests and answers as bytes, for any transport."""

from __future__ import annotations

from .metadata import MAXIMUM_BATCH, describe_model, describe_server, model_config
from .rest import HEADER_LENGTH, InferenceRequest, decode_raw, decode_request, encode_answer, read_json
from .statistics import describe_usage
from .tensors import decode_tensor, dtype_of, encode_values

__all__ = [
    "HEADER_LENGTH",
    "MAXIMUM_BATCH",
    "InferenceRequest",
    "decode_raw",
    "decode_request",
    "decode_tensor",
    "describe_model",
    "describe_server",
    "describe_usage",
    "dtype_of",
    "encode_answer",
    "encode_values",
    "model_config",
    "read_json",
]
