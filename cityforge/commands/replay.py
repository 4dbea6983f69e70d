"""``cityforge replay``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from cityforge.invocation import Invocation, RefusedError
from cityforge.packs import find_pack
from cityforge.reading_files import read_readings
from cityforge.replaying import ReplayResult, Step, plan_steps, wait_caught_up
from cityforge.replaying import replay as post_steps
from contracts import Pack, Reading, format_utc, load_pack, parse_utc
from serving import PlatformClient


def replay(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="Pack: a folder or a name.", show_default=False)],
    *,
    csv: Annotated[Path | None, typer.Option(help="Readings (sign, time, value), not the pack's own.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First event time, such as 2022-04-20T00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Event time before which to stop.")] = None,
    speed: Annotated[float | None, typer.Option(min=1e-3, help="Event seconds per second; default: at once.")] = None,
    allow_late: Annotated[bool, typer.Option(help="Fill the archive, though the clock has passed.")] = False,
    url: Annotated[str | None, typer.Option(help="Address of the platform; default from the settings.")] = None,
) -> None:
    """Post readings of the past through the public endpoints, in event time, with a tick at every step.

    The platform must run with `--clock ticks`. Stopped half way, start it again: what was posted is passed over, as the
    platform knows it. It ends when the runtime has decided on everything.

    [bold]Examples[/bold]

        cityforge serve --open --clock ticks
        cityforge replay water_main --from 2022-04-20T00:00Z
        cityforge replay . --csv readings.csv --speed 3600
    """
    settings = invocation.settings
    loaded = load_pack(find_pack(pack, base=Path.cwd()))
    steps = plan_steps(
        choose_readings(loaded, csv),
        step_s=min(sign.interval_s for sign in loaded.signs),
        since=None if since is None else parse_utc(since),
        until=None if until is None else parse_utc(until),
    )
    with PlatformClient(url or settings.platform_url, settings.api_key, tls=settings.trust) as client:
        result = replay_with_bar(invocation, client, steps, speed=speed, allow_late=allow_late)
    invocation.show(
        f"[green]Replayed {result.posted} readings in {result.steps} steps until {result.until}[/green] "
        f"({result.accepted} new, {result.duplicates} known, {result.revisions} revised) in {result.seconds:.1f} s."
    )
    invocation.result(result.as_dict())
    if result.refused:
        reasons = "\n".join(f"  - {reason}" for reason in result.reasons)
        message = f"The platform refused {result.refused} of {result.posted} readings, such as:\n{reasons}"
        raise RefusedError(message)


def choose_readings(pack: Pack, csv: Path | None) -> list[Reading]:
    """Return the readings of a file, or those of the pack's own data.

    The latter need the extra ``training``, and hence are imported only when they are asked for.
    """
    if csv is not None:
        return read_readings(csv)
    found: list[Reading] = importlib.import_module("cityforge.pack_data").pack_readings(pack)
    return found


def replay_with_bar(
    invocation: Invocation, client: PlatformClient, steps: list[Step], *, speed: float | None, allow_late: bool
) -> ReplayResult:
    """Replay and wait for the runtime, with a progress bar for each."""
    with invocation.progress() as progress:
        posting = progress.add_task("posting", total=len(steps))

        def on_step(done: int, _total: int, time_ms: int) -> None:
            progress.update(posting, completed=done, description=f"posting {format_utc(time_ms)}")

        result = post_steps(client, steps, speed=speed, allow_late=allow_late, progress=on_step)
        deciding = progress.add_task("deciding", total=result.last_sequence)

        def on_offset(offset: int, _total: int) -> None:
            progress.update(deciding, completed=offset)

        wait_caught_up(client, result.last_sequence, progress=on_offset)
    return result
