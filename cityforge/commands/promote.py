"""``cityforge promote``."""

from __future__ import annotations

from typing import Annotated

import typer

from cityforge.invocation import Invocation
from contracts import PromotionError
from registry import Registry, Version

LOSS_GATE = "better_than_baselines"


def promote(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(help="Name of the model.", show_default=False)],
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Version; default the best that passed its gates.")] = None,
    override: Annotated[str | None, typer.Option(help="Promote although a gate failed, for this reason.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "",
) -> None:
    """Make a version the champion: it answers from then on. The ledger keeps who did it and why.

    A version that failed a gate is refused, unless --override gives a reason, which is kept with the failed gates.

    [bold]Examples[/bold]

        cityforge promote water-flow-ridge
        cityforge promote water-flow-ridge --version 2 --override "sensor replaced, gate window not usable"
    """
    with invocation.workspace() as workspace:
        workspace.import_packs()
        registry = workspace.registry
        chosen = version if version is not None else best_version(registry, name)
        entry = registry.promote(name, chosen, workspace.settings.actor, override=override, reason=reason)
        assigned = workspace.assign_signs(entry.manifest)
    done = f"[green]{name} version {chosen} is champion[/green]"
    invocation.show(f"{done} (ledger entry {entry.sequence}, {entry.action}); {len(assigned)} signs newly assigned.")
    invocation.result({"entry": entry, "assigned": assigned})


def best_version(registry: Registry, name: str) -> int:
    """Return the version that passed every gate with the lowest error against the baselines; else the newest.

    Raises:
        PromotionError: if it has none.
    """
    versions = registry.versions(name)
    if not versions:
        message = f"No model {name!r} is registered. See `cityforge models`, or train one with `cityforge train`."
        raise PromotionError(message)
    passed = [version for version in versions if version.gates and all(gate.passed for gate in version.gates)]
    if not passed:
        return max(version.version for version in versions)
    return min(passed, key=lambda version: (_loss_ratio(version), -version.version)).version


def _loss_ratio(version: Version) -> float:
    ratios = [gate.value for gate in version.gates if gate.name == LOSS_GATE and gate.value is not None]
    return ratios[0] if ratios else float("inf")
