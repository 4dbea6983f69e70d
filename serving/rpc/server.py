"""The gRPC server: it reads messages, admits by key, and turns errors into codes, as the HTTP front does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from contracts import FactoryError, OverloadedError, ServiceError
from serving.errors import MalformedError
from serving.platform import Platform
from serving.protocol.messages import HEALTH, INFERENCE, Message, calls_of
from serving.settings import Role, ServingSettings, TlsSettings
from serving.statuses import code_of, headers_of
from serving.tls import read_files

from .handlers import HEALTH_CALLS, INFERENCE_CALLS, Rpc, RpcCall, infer

MAXIMUM_CALLS = 4096
"""Calls at once; one more is refused by gRPC itself."""
DRAIN_S = 20.0
_STREAM = "ModelStreamInfer"
_HEADERS_BYTES = 16 * 1024
_INTERNAL = "This failed here, not on your side; the log of the server tells more."

log = logging.getLogger(__name__)
Context = Any
"""``grpc.aio.ServicerContext``; grpc ships no types."""


async def start_rpc(platform: Platform, port: int) -> grpc.aio.Server:
    """Start the server; with several workers, they share the port.

    Raises:
        ServiceError: if it cannot listen.
    """
    settings = platform.settings
    server = grpc.aio.server(options=_options(settings), maximum_concurrent_rpcs=MAXIMUM_CALLS)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(INFERENCE, _inference_methods(platform)),
            grpc.method_handlers_generic_handler(HEALTH, _methods(platform, HEALTH, HEALTH_CALLS)),
        )
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{port}"
    try:
        if settings.tls is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, _credentials(settings.tls))
    except RuntimeError as exc:
        message = f"Cannot listen on {address} for gRPC. Stop the program that uses it, or set another grpc_port."
        raise ServiceError(message) from exc
    await server.start()
    log.info("gRPC answers on %s", address)
    return server


async def stop_rpc(server: grpc.aio.Server) -> None:
    """Take no more calls, and let those that run end."""
    await server.stop(DRAIN_S)


def _options(settings: ServingSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", int(settings.workers > 1)),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", _HEADERS_BYTES),
        ("grpc.absolute_max_metadata_size", _HEADERS_BYTES),
    ]


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    files = read_files(tls)
    return grpc.ssl_server_credentials(
        [(files.key, files.certificate)], files.client_ca, require_client_auth=files.client_ca is not None
    )


def _inference_methods(platform: Platform) -> dict[str, grpc.RpcMethodHandler]:
    kind, reply = calls_of(INFERENCE)[_STREAM]
    methods = _methods(platform, INFERENCE, INFERENCE_CALLS)
    methods[_STREAM] = grpc.stream_stream_rpc_method_handler(_stream(platform, kind, reply))
    return methods


def _methods(platform: Platform, service: str, calls: Mapping[str, Rpc]) -> dict[str, grpc.RpcMethodHandler]:
    kinds = calls_of(service)
    return {
        name: grpc.unary_unary_rpc_method_handler(_unary(platform, *kinds[name], rpc)) for name, rpc in calls.items()
    }


def _unary(
    platform: Platform, kind: type[Message], reply: type[Message], rpc: Rpc
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def method(content: bytes, context: Context) -> bytes:
        try:
            call = _admit(platform, rpc.least, kind, content, context)
            given = await rpc.handle(call)
        except FactoryError as exc:
            error = exc
        except Exception:
            log.exception("a call failed")
            await context.abort(grpc.StatusCode.INTERNAL, _INTERNAL)
        else:
            answer = reply(**given) if isinstance(given, Mapping) else given
            return bytes(answer.SerializeToString())
        # Outside the handlers above: abort leaves by an exception of its own.
        await context.abort(grpc.StatusCode[code_of(error)], str(error), _trailers(error))
        raise AssertionError

    return method


def _stream(
    platform: Platform, kind: type[Message], reply: type[Message]
) -> Callable[[AsyncIterator[bytes], Context], AsyncIterator[bytes]]:
    """Return the stream of requests, answered in order; a request that fails is told so and ends nothing."""

    async def method(contents: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for content in contents:
            try:
                call = _admit(platform, Role.VIEWER, kind, content, context)
                answer = reply(infer_response=await infer(call))
            except FactoryError as exc:
                answer = reply(error_message=str(exc))
            yield answer.SerializeToString()

    return method


def _admit(platform: Platform, least: Role | None, kind: type[Message], content: bytes, context: Context) -> RpcCall:
    headers = [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in context.invocation_metadata()
    ]
    principal = None if least is None else platform.keys.admit(headers, least)
    try:
        request = kind.FromString(content)
    except DecodeError as exc:
        message = f"The message is no {kind.DESCRIPTOR.full_name}: {exc}."
        raise MalformedError(message) from exc
    return RpcCall(platform, request, headers, principal, context.time_remaining())


def _trailers(error: FactoryError) -> tuple[tuple[str, str], ...]:
    return (
        tuple((name.lower(), value) for name, value in headers_of(error).items())
        if isinstance(error, OverloadedError)
        else ()
    )
