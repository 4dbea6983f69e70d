"""Models in and out of service by an order, for every process over the same store.

An order stands in the audit, with who gave it; all processes follow it, also those that start later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from contracts import ArtefactError

from .engine import Slot
from .errors import MalformedError, NotFoundError
from .platform import LOAD, UNLOAD

if TYPE_CHECKING:
    from .platform import Platform

_CONFIG, _FILE = "config", "file:"
READY, UNAVAILABLE = "READY", "UNAVAILABLE"


def index_models(platform: Platform, *, ready: bool = False) -> list[dict[str, Any]]:
    """Return every version that is known, as the protocol's repository index has it.

    Args:
        platform: whose models.
        ready: only those that answer.
    """
    entries = [entry for name, slot in platform.engine.models for entry in _entries(name, slot)]
    return [entry for entry in entries if not ready or entry["state"] == READY]


def check_order(parameters: Iterable[str]) -> None:
    """Refuse what an order cannot do; other parameters, such as ``unload_dependents``, change nothing here.

    Args:
        parameters: their names.

    Raises:
        MalformedError: if a model is to be loaded otherwise than it was released.
    """
    wrong = sorted(name for name in parameters if name == _CONFIG or name.startswith(_FILE))
    if wrong:
        message = (
            f"A model is loaded as it was released; {wrong} cannot be given. Register and promote another version."
        )
        raise MalformedError(message)


async def load_model(platform: Platform, name: str, actor: str) -> None:
    """Put a model into service; returns once this process answers for it.

    Raises:
        NotFoundError: if the ledger has no champion of that name.
        ArtefactError: if it cannot be opened.
    """
    await _order(platform, LOAD, name, actor)
    failure = platform.engine.models.slot(name).failure
    if failure is not None:
        message = f"The model {name!r} cannot be loaded: {failure}"
        raise ArtefactError(message)


async def unload_model(platform: Platform, name: str, actor: str) -> None:
    """Take a model out of service; returns once this process has let it go.

    Raises:
        NotFoundError: if the ledger has no champion of that name.
    """
    await _order(platform, UNLOAD, name, actor)


async def _order(platform: Platform, action: str, name: str, actor: str) -> None:
    champions = await platform.ask(platform.store.ledger.champions)
    if name not in champions:
        message = f"No model {name[:128]!r} was ever promoted. Promoted: {', '.join(sorted(champions)) or 'none'}."
        raise NotFoundError(message)
    await platform.ask(platform.store.audit.append, actor, action, name)
    await platform.refresh()
    await platform.engine.settle()


def _entries(name: str, slot: Slot) -> list[dict[str, Any]]:
    served = [model for model in (slot.champion, slot.previous) if model is not None]
    entries = [{"name": name, "version": str(model.version), "state": READY, "reason": ""} for model in served]
    if entries and slot.failure is None:
        return entries
    reason = "unloaded" if slot.unloaded else slot.failure or "loading"
    return [*entries, {"name": name, "version": "", "state": UNAVAILABLE, "reason": reason}]
