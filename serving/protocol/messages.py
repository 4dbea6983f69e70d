"""The protocol's gRPC messages as classes, made from the compiled ``.proto`` files when this module is imported.

They live in a pool of their own: a program that also loads another implementation's messages of the same names, as
clients do, meets no conflict. Nothing is generated as Python, so no release of protobuf is prescribed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Message = Any
"""A message; protobuf's classes exist at run time only."""
DESCRIPTORS = "open_inference.binpb"
INFERENCE, HEALTH = "inference.GRPCInferenceService", "grpc.health.v1.Health"


def _read() -> DescriptorPool:
    found = FileDescriptorSet.FromString(files(__package__).joinpath(DESCRIPTORS).read_bytes())
    pool = DescriptorPool()
    for file in found.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _read()


def calls_of(service: str) -> Mapping[str, tuple[type[Message], type[Message]]]:
    """Return the calls of a service: name → classes of its request and its answer."""
    return {
        method.name: (GetMessageClass(method.input_type), GetMessageClass(method.output_type))
        for method in _POOL.FindServiceByName(service).methods
    }


def message_class(name: str) -> type[Message]:
    """Return the class of a message by its full name."""
    return GetMessageClass(_POOL.FindMessageTypeByName(name))
