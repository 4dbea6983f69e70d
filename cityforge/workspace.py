"""The working directory's state, opened as its settings say: store, releases, registry, packs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from contracts import DataError, Pack, Place, PlaceTree, ReleaseManifest, Sign, SignCatalogue, Task, resolve_forecasters
from registry import Registry
from store import ReleaseStore, Store

from .packs import load_packs
from .settings import Settings


class Workspace:
    """Everything that commands open, each when first asked for, all closed together.

    Args:
        settings: where things lie.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: list[Store] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        for store in self._opened:
            store.close()

    @cached_property
    def home(self) -> Path:
        """The folder of the state, made if it is not there."""
        return self.settings.make_home()

    @cached_property
    def store(self) -> Store:
        """The store, migrated to this program's schema."""
        _ = self.home
        store = Store.open(self.settings.store_address)
        self._opened.append(store)
        return store

    @cached_property
    def releases(self) -> ReleaseStore:
        """The released files."""
        _ = self.home
        return ReleaseStore(self.settings.releases_address)

    @cached_property
    def registry(self) -> Registry:
        """The registry over MLflow; the first use imports mlflow (about two seconds)."""
        address = self.settings.tracking_address
        artifacts = self.home / "mlartifacts" if address.startswith("sqlite:") else None
        return Registry(address, self.store, self.releases, artifact_root=artifacts)

    @cached_property
    def packs(self) -> list[Pack]:
        """The packs of the settings, read and checked."""
        return load_packs(self.settings.pack_names(), base=self.settings.folder)

    def import_packs(self, packs: list[Pack] | None = None) -> tuple[int, int]:
        """Put the places and signs of packs into the store.

        Returns:
            How many places and signs were written.
        """
        chosen = self.packs if packs is None else packs
        places = [place for pack in chosen for place in pack.places]
        signs = [sign for pack in chosen for sign in pack.signs]
        return self.import_catalogue(places, signs)

    def import_catalogue(self, places: list[Place], signs: list[Sign]) -> tuple[int, int]:
        """Put places and signs into the store, checked together with those already there.

        Raises:
            ConfigurationError: if the places make no tree.
            DataError: if a sign's place is unknown.
        """
        merged = {place.id: place for place in [*self.store.places.all(), *places]}
        tree = PlaceTree(merged.values())
        SignCatalogue(signs)
        homeless = sorted({sign.place for sign in signs if sign.place not in tree})
        if homeless:
            message = f"Unknown places: {', '.join(homeless[:10])}. Import the places of these signs first."
            raise DataError(message)
        self.store.places.put(places)
        self.store.signs.put(signs)
        return len(places), len(signs)

    def forecasters(self) -> dict[str, str]:
        """Return which champion forecasts which sign, as runtime and serving see it."""
        champions = {name: entry.manifest for name, entry in self.store.ledger.champions().items()}
        return resolve_forecasters(champions, self.store.assignments.all())

    def assign_signs(self, manifest: ReleaseManifest) -> dict[str, str | None]:
        """Let a champion forecast the signs of its manifest that the store knows.

        Returns:
            The signs that change hands, each with the model that forecast it before.
        """
        if manifest.task is not Task.FORECAST:
            return {}
        known = {sign.id for sign in self.store.signs.all()}
        before = self.store.assignments.all()
        mine = [sign for sign in manifest.signs if sign in known]
        changed = {sign: before.get(sign) for sign in mine if before.get(sign) != manifest.name}
        self.store.assignments.put_all(dict.fromkeys(changed, manifest.name))
        return changed
