"""``cityforge serve``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import Annotated

import typer

from cityforge.invocation import Invocation
from cityforge.settings import Settings, adapt
from cityforge.supervisor import PARTS, Platform

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Only(StrEnum):
    """A part that may run alone."""

    SERVING = "serving"
    RUNTIME = "runtime"
    FEEDS = "feeds"


class Clock(StrEnum):
    """What moves time on when no reading comes."""

    SYSTEM = "system"
    TICKS = "ticks"


def serve(
    invocation: Invocation,
    *,
    open_access: Annotated[bool, typer.Option("--open", help="Answer without keys; on loopback only.")] = False,
    only: Annotated[Only | None, typer.Option("--only", help="Run one part alone.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = None,
    grpc_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on for gRPC too.")] = None,
    clock: Annotated[
        Clock | None, typer.Option(help="What moves time on: the system, or ticks alone, for a replay.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Serving processes.")] = None,
) -> None:
    """Run the platform until Ctrl-C: serving answers applications, the runtime decides on warnings.

    Where a pack has a cameras.toml, feeds watch its cameras. All are restarted when they crash. Their logs lie in
    .cityforge/logs/.

    [bold]Examples[/bold]

        cityforge serve --open
        cityforge serve --host 0.0.0.0 --port 8080 --workers 4
        CITYFORGE_URL=http://serving:3000 cityforge serve --only runtime
    """
    options = {"host": host, "port": port, "grpc_port": grpc_port, "workers": workers, "clock": clock}
    settings = adapt(invocation.settings, open_access=open_access or None, **options)
    with invocation.workspace(settings) as workspace:
        places, signs = workspace.import_packs()
        invocation.note(f"{signs} signs at {places} places imported from {len(workspace.packs)} packs")
    run_platform(invocation, settings, only)


def run_platform(invocation: Invocation, settings: Settings, only: Only | None) -> None:
    """Start the platform, say where it is, and wait for a signal to stop it."""
    platform = Platform(settings, parts=PARTS if only is None else (only.value,), report=invocation.note)
    with stop_on_signal(platform), platform:
        processes = {name: child.pid for name, child in platform.children.items()}
        invocation.note(
            f"The platform answers at [bold]{platform.url}[/bold] (API: {platform.url}/docs). Ctrl-C stops it."
        )
        invocation.result({"url": platform.url, "processes": processes, "logs": str(platform.logs)})
        platform.wait()
        invocation.note("Stopping ...")


@contextmanager
def stop_on_signal(platform: Platform) -> Iterator[None]:
    """Let signals end :meth:`Platform.wait` instead of this process."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        platform.request_stop()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
