"""Which versions answer: the champion of each name and the one before it, swapped in one step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts import OverloadedError, ReleaseManifest, ServiceError
from serving.errors import ModelUnavailableError, NotFoundError

from .release import ServedModel

_RETRY_AFTER_S = 1.0


@dataclass(slots=True)
class Slot:
    """What is known of one name.

    Attributes:
        champion: the version that answers; None while none is open.
        previous: the version before it, kept open so that a rollback takes no loading.
        wanted: the ledger's champion; None before the ledger was read.
        failure: why the ledger's champion could not be opened; None when all is well.
        unloaded: whether an administrator took it out of service.
    """

    champion: ServedModel | None = None
    previous: ServedModel | None = None
    wanted: ReleaseManifest | None = None
    failure: str | None = None
    unloaded: bool = False


class ModelRepository:
    """All models by name. Changed on one thread only; readers see each name whole, before or after a swap."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    def __iter__(self) -> Iterator[tuple[str, Slot]]:
        """Iterate over (name, slot) by name."""
        return iter(sorted(self._slots.items()))

    def slot(self, name: str) -> Slot:
        """Return what is known of a name, beginning with nothing."""
        return self._slots.setdefault(name, Slot())

    def champion(self, name: str) -> ServedModel | None:
        """Return the version of a name that answers; None where there is none."""
        return self._slots.get(name, Slot()).champion

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """Return the version that answers.

        Args:
            name: of the model.
            version: one that is open; None or empty for the champion.

        Raises:
            NotFoundError: if the name or version is not served here.
            ModelUnavailableError: if it was taken out of service.
            OverloadedError: if the model is known but not open yet.
        """
        slot = self._slots.get(name)
        if slot is None:
            served = ", ".join(sorted(self._slots)) or "none"
            message = f"No model {name!r} is served here. Served: {served}."
            raise NotFoundError(message)
        if slot.unloaded:
            message = f"The model {name!r} was taken out of service by an order. An engineer can load it again."
            raise ModelUnavailableError(message)
        if not version:
            if slot.champion is None:
                message = f"The model {name!r} is not ready: {slot.failure or 'it is not loaded'}"
                raise OverloadedError(message, _RETRY_AFTER_S)
            return slot.champion
        for model in (slot.champion, slot.previous):
            if model is not None and str(model.version) == version:
                return model
        opened = ", ".join(str(model.version) for model in (slot.champion, slot.previous) if model is not None)
        message = f"Version {version!r} of the model {name!r} is not served here. Served: {opened or 'none'}."
        raise NotFoundError(message)

    def served(self, name: str | None = None, version: str | None = None) -> list[ServedModel]:
        """Return the versions that are open, by name, newest first.

        Args:
            name: of one model; None for all.
            version: of one version of it; None for all.

        Raises:
            NotFoundError: if the name or version is not served here.
            ServiceError: if the model is known but not open.
        """
        if name is None:
            return [model for each in sorted(self._slots) for model in self._opened(each)]
        named = self.find(name, version)
        return [named] if version else self._opened(name)

    def _opened(self, name: str) -> list[ServedModel]:
        slot = self._slots.get(name, Slot())
        found = {model for model in (slot.champion, slot.previous) if model is not None}
        return sorted(found, key=lambda model: model.version, reverse=True)

    def versions(self, name: str) -> list[int]:
        """Return the versions of a name that are open, newest first."""
        return [model.version for model in self._opened(name)]

    def is_model_ready(self, name: str, version: str | None = None) -> bool:
        """Return whether a version answers; the champion where none is named.

        Raises:
            NotFoundError: if the name or version is not served here.
        """
        try:
            return self.find(name, version) is not None
        except ServiceError:
            return False

    def swap(self, model: ServedModel) -> None:
        """Make a version the champion and keep the one it replaces.

        The version before that is let go: its memory is free when the last request that runs on it is answered.
        """
        slot = self.slot(model.name)
        slot.champion, slot.previous, slot.failure, slot.unloaded = model, slot.champion, None, False

    def opened(self) -> Iterator[ServedModel]:
        """Iterate over every version that is open."""
        for slot in self._slots.values():
            yield from (model for model in (slot.champion, slot.previous) if model is not None)

    def unload(self, name: str) -> None:
        """Let go of every version of a name until it is allowed again."""
        slot = self.slot(name)
        slot.champion, slot.previous, slot.failure, slot.unloaded = None, None, None, True

    def has_failures(self) -> bool:
        """Return whether a champion of the ledger could not be opened."""
        return any(slot.failure is not None for slot in self._slots.values())

    def is_ready(self) -> bool:
        """Return whether every model that should answer does."""
        return all(slot.champion is not None or slot.unloaded for _, slot in self)
