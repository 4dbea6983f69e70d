"""``cityforge doctor``."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.table import Table

from cityforge.invocation import Invocation, RefusedError
from cityforge.rule_versions import bundle_pack, rules_name
from cityforge.workspace import Workspace
from contracts import ConfigurationError, FactoryError, Problem, Task, parse_utc, to_ms
from gpu import open_session
from operations import Finding, explain_silence, runtime_status
from serving import PlatformClient

PACKAGES = ("bentoml", "onnxruntime", "mlflow", "networkx", "sqlalchemy", "torch", "ultralytics", "river", "psycopg")
LOW_DISK_GIB = 1.0
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    fine: bool
    detail: str


def doctor(
    invocation: Invocation,
    *,
    sign: Annotated[str | None, typer.Option(help="Ask why nothing fired for this sign ...")] = None,
    at: Annotated[str | None, typer.Option(help="... at this event time, such as 2022-04-27T13:00Z.")] = None,
) -> None:
    """Say what is wrong here. With --sign and --at: why nothing fired. Exit code 3 says that something is wrong.

    [bold]Examples[/bold]

        cityforge doctor
        cityforge doctor --sign water_main.flow --at 2022-05-02T11:00Z
    """
    if (sign is None) != (at is None):
        title = "cityforge doctor"
        raise ConfigurationError(title, [Problem("--sign, --at", "belong together.", "Give both or none.")])
    with invocation.workspace() as workspace:
        checks: list[Check] | list[Finding] = (
            list(_examine(workspace))
            if sign is None or at is None
            else explain_silence(workspace.store, sign, to_ms(parse_utc(at)), shard=workspace.settings.shard)
        )
    table = Table("", "what", "found", show_lines=False)
    for check in checks:
        what = check.name if isinstance(check, Check) else check.step
        table.add_row("[green]ok[/]" if check.fine else "[red]!![/]", what, check.detail)
    invocation.show(table)
    invocation.result({"fine": all(check.fine for check in checks), "checks": [asdict(check) for check in checks]})
    wrong = sum(not check.fine for check in checks)
    if wrong and sign is None:
        message = f"{wrong} of {len(checks)} checks found something wrong."
        raise RefusedError(message)


def _examine(workspace: Workspace) -> Iterator[Check]:
    yield Check(
        "python", fine=True, detail=f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores"
    )
    yield Check("packages", fine=True, detail=", ".join(_versions()))
    file = workspace.settings.file
    yield Check("settings", fine=True, detail=str(file) if file else "defaults: no cityforge.toml here or above")
    yield _look("state", lambda: f"{workspace.home}, {_free_gib(workspace):.1f} GiB free")
    yield Check(
        "disk", _free_gib(workspace) >= LOW_DISK_GIB, f"{_free_gib(workspace):.1f} GiB free in {workspace.home}"
    )
    yield _look("store", lambda: f"schema is current; {len(workspace.store.signs.all())} signs")
    yield _look("ledger", lambda: _chain(workspace))
    yield _look("packs", lambda: ", ".join(pack.header.id for pack in workspace.packs) or "none named in the settings")
    yield _look("models", lambda: _models(workspace))
    yield _look("rules", lambda: _rules(workspace))
    yield _look("runtime", lambda: _runtime(workspace))
    settings = workspace.settings
    with PlatformClient(settings.platform_url, settings.api_key, tls=settings.trust) as client:
        ready = client.is_ready()
    told = "answers" if ready else "does not answer; that is right unless `cityforge serve` runs"
    yield Check("serving", fine=True, detail=f"{settings.platform_url} {told}")


def _look(name: str, ask: Callable[[], str]) -> Check:
    """Ask, and turn a failure that cityforge can explain into a check that is not fine."""
    try:
        return Check(name, fine=True, detail=ask())
    except (FactoryError, OSError) as exc:
        return Check(name, fine=False, detail=str(exc))


def _versions() -> Iterator[str]:
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            yield f"{name} not installed"
        else:
            yield f"{name} {importlib.metadata.version(name)}"


def _free_gib(workspace: Workspace) -> float:
    return shutil.disk_usage(workspace.home).free / GIB


def _chain(workspace: Workspace) -> str:
    broken = workspace.store.ledger.verify() or workspace.store.audit.verify()
    if broken is not None:
        message = f"the hash chain is broken: {broken}. Somebody changed it; restore the store from a backup."
        raise FactoryError(message)
    return f"the hash chains of {workspace.store.ledger.last_sequence()} promotions and of the audit hold"


def _models(workspace: Workspace) -> str:
    champions = workspace.store.ledger.champions()
    for entry in champions.values():
        open_session(workspace.releases.path(entry.manifest.sha256))
    names = ", ".join(f"{name} version {entry.manifest.version}" for name, entry in champions.items())
    return f"{names or 'no champion yet'}; every released file opens and is the one that its sha256 names"


def _rules(workspace: Workspace) -> str:
    standing = workspace.store.ledger.rule_sets()
    told = []
    for pack in workspace.packs:
        entry = standing.get(rules_name(pack.header.id))
        if entry is None:
            told.append(f"{pack.header.id} from its folder, none is promoted")
            continue
        workspace.releases.path(entry.manifest.sha256, Task.RULES)
        differs = "" if bundle_pack(pack).sha256 == entry.manifest.sha256 else ", from which its folder differs"
        told.append(f"{pack.header.id} version {entry.manifest.version}{differs}")
    return "; ".join(told) or "no pack is named"


def _runtime(workspace: Workspace) -> str:
    status = runtime_status(workspace.store, workspace.settings.shard)
    if status is None:
        return "never ran here"
    if status.refused_rules is not None:
        message = f"the promoted rules are not in force, those before them are: {status.refused_rules}"
        raise FactoryError(message)
    decided = "nothing yet" if status.decided_at is None else f"up to {status.decided_at:%Y-%m-%dT%H:%MZ}"
    return f"decided {decided}, {status.lag} items wait, last wrote {status.updated_at:%Y-%m-%dT%H:%M:%SZ}"
