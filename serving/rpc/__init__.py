"""The gRPC front: the Open Inference Protocol and gRPC's own health check, on a port of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.platform import Platform


@asynccontextmanager
async def serve_rpc(platform: Platform) -> AsyncIterator[None]:
    """Serve gRPC, where the settings name a port for it, until the end of the block.

    Raises:
        ServiceError: if it cannot listen.
    """
    if platform.settings.grpc_port is None:
        yield
        return
    # deferred: gRPC costs 15 MiB and 0.1 s, which only who serves it pays
    from .server import start_rpc, stop_rpc

    server = await start_rpc(platform, platform.settings.grpc_port)
    try:
        yield
    finally:
        await stop_rpc(server)


__all__ = ["serve_rpc"]
