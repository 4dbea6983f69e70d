"""What MLflow's registry holds, read with the ledger beside it.

Versions that others put into MLflow by hand carry none of our marks and are left out: nothing is known of their gates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from contracts import GateResult, LedgerEntry, PromotionError, ReleaseManifest, StoreError, from_ms, to_ms
from store import Store

from .links import Links
from .tracking import Tracking, already_there, border
from .versions import Drift, Model, Version, VersionCard, VersionStatus

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION_ALIAS = "champion"
_PAGE = 1000
_GATES = TypeAdapter(tuple[GateResult, ...])


class Catalogue:
    """Models and versions as MLflow keeps them, in the state that the ledger gives them."""

    def __init__(self, tracking: Tracking, store: Store, links: Links) -> None:
        self._client = tracking.client
        self._ledger = store.ledger
        self._links = links

    def create(self, name: str, model_id: str, run_id: str, marks: Mapping[str, str]) -> int:
        """Add a version of a model, made if it is new, and return its number; it is not yet finished."""
        with already_there():
            self._client.create_registered_model(name)
        tags = {f"cityforge.{key}": value for key, value in marks.items()}
        made = self._client.create_model_version(
            name, f"models:/{model_id}", run_id=run_id, model_id=model_id, tags=tags
        )
        return int(made.version)

    def finish(self, manifest: ReleaseManifest) -> Version:
        """Declare a version whole: only then it is listed, found and promoted."""
        with border(f"Version {manifest.version} of {manifest.name!r} cannot be finished"):
            self._client.set_model_version_tag(
                manifest.name, str(manifest.version), "cityforge.sha256", manifest.sha256
            )
        return self.version(manifest.name, manifest.version)

    def find(self, fingerprint: str, name: str | None) -> list[Version]:
        """Return finished versions of a fingerprint, newest first."""
        where = f"tags.`cityforge.fingerprint` = '{fingerprint}'"
        found = self._search(where if name is None else f"name = '{name}' AND {where}")
        return sorted(self._read(found), key=lambda version: version.created_at, reverse=True)

    def versions(self, name: str) -> list[Version]:
        """Return the finished versions of a model, newest first."""
        found = sorted(self._read(self._search(f"name = '{name}'")), key=lambda one: one.version, reverse=True)
        if not found:
            known = ", ".join(model.name for model in self.models()) or "none"
            message = f"No version of {name!r} is registered. Known models: {known}. Train one with `cityforge train`."
            raise PromotionError(message)
        return found

    def version(self, name: str, number: int) -> Version:
        """Return one finished version."""
        versions = self.versions(name)
        for version in versions:
            if version.version == number:
                return version
        known = ", ".join(str(version.version) for version in versions[:10])
        message = f"{name!r} has no version {number!r}. Its newest versions are {known}."
        raise PromotionError(message)

    def foremost(self, name: str) -> Version:
        """Return the champion, or the newest version where there is none."""
        versions = self.versions(name)
        return next((one for one in versions if one.status is VersionStatus.CHAMPION), versions[0])

    def models(self) -> list[Model]:
        """Return every model with a finished version, by name."""
        newest: dict[str, Version] = {}
        for version in self._read(self._search("")):
            known = newest.get(version.name)
            if known is None or version.version > known.version:
                newest[version.name] = version
        champions = self._ledger.champions()
        return [self._model(newest[name], champions.get(name)) for name in sorted(newest)]

    def card(self, version: Version, manifest: ReleaseManifest) -> VersionCard:
        """Return a version with its run and its entries in the ledger."""
        with border(f"Run {version.run_id} cannot be read"):
            run = self._client.get_run(version.run_id)
        history = self._ledger_of(version)
        return VersionCard(
            version=version,
            manifest=manifest,
            parameters=dict(run.data.params),
            metrics=dict(run.data.metrics),
            tags={key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")},
            datasets=tuple(_describe_dataset(entry) for entry in run.inputs.dataset_inputs),
            history=history,
            run_url=self._links.run(run.info.experiment_id, version.run_id),
        )

    def project(self, name: str) -> None:
        """Point the alias at the ledger's champion; again, if another promotion came meanwhile."""
        shown = None
        while (champion := self._ledger.champion(name)) is not None and champion.sequence != shown:
            with border(f"The ledger stands, but the alias of {name!r} in MLflow cannot be set; reconcile it later"):
                self._client.set_registered_model_alias(name, CHAMPION_ALIAS, str(champion.manifest.version))
            shown = champion.sequence

    def reconcile(self) -> list[Drift]:
        """Compare every alias with the ledger and put it right."""
        with border("The aliases in MLflow cannot be read"):
            shown = {model.name: model.aliases.get(CHAMPION_ALIAS) for model in self._all_models()}
        expected = {name: entry.manifest.version for name, entry in self._ledger.champions().items()}
        drifts = []
        for name in sorted(shown.keys() | expected.keys()):
            found = None if shown.get(name) is None else int(str(shown[name]))
            if found != expected.get(name):
                drifts.append(self._put_back(name, expected.get(name), found, known=name in shown))
        return drifts

    def _put_back(self, name: str, expected: int | None, found: int | None, *, known: bool) -> Drift:
        if not known:
            detail = f"The ledger names version {expected} of {name!r}, but MLflow knows no such model."
            return Drift(name, expected, found, repaired=False, detail=detail)
        said = "no version" if expected is None else f"version {expected}"
        pointed = "no version" if found is None else f"version {found}"
        try:
            with border(f"The alias of {name!r} cannot be set"):
                if expected is None:
                    self._client.delete_registered_model_alias(name, CHAMPION_ALIAS)
                else:
                    self._client.set_registered_model_alias(name, CHAMPION_ALIAS, str(expected))
        except StoreError as exc:
            return Drift(name, expected, found, repaired=False, detail=f"The ledger names {said}: {exc}")
        detail = f"The alias pointed to {pointed}, the ledger names {said}: put back."
        return Drift(name, expected, found, repaired=True, detail=detail)

    def _model(self, newest: Version, champion: LedgerEntry | None) -> Model:
        return Model(
            name=newest.name,
            champion=None if champion is None else champion.manifest.version,
            champion_since=None if champion is None else champion.time,
            latest=newest.version,
            updated_at=newest.created_at if champion is None else max(newest.created_at, champion.time),
            url=self._links.model(newest.name),
        )

    def _read(self, found: Iterator[ModelVersion]) -> Iterator[Version]:
        champions = self._ledger.champions()
        previous = {name: self._ledger.previous(name) for name in champions}
        for one in found:
            if "cityforge.sha256" in one.tags:
                yield self._version(one, champions.get(one.name), previous.get(one.name))

    def _version(self, found: ModelVersion, champion: LedgerEntry | None, previous: LedgerEntry | None) -> Version:
        tags, number = found.tags, int(found.version)
        gates = _GATES.validate_json(tags["cityforge.gates"])
        return Version(
            name=found.name,
            version=number,
            status=_status(number, gates, champion, previous),
            sha256=tags["cityforge.sha256"],
            run_id=found.run_id,
            created_at=from_ms(int(tags["cityforge.created_ms"])),
            gates=gates,
            metrics=json.loads(tags["cityforge.metrics"]),
            fingerprint=tags["cityforge.fingerprint"],
            url=self._links.version(found.name, number),
        )

    def _search(self, where: str) -> Iterator[ModelVersion]:
        token: str | None = None
        while True:
            with border("The versions in MLflow cannot be read"):
                page = self._client.search_model_versions(where, max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _all_models(self) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._client.search_registered_models(max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _ledger_of(self, version: Version) -> tuple[LedgerEntry, ...]:
        entries: list[LedgerEntry] = []
        page = self._ledger.entries(version.name)
        while page:
            entries += [entry for entry in page if entry.manifest.version == version.version]
            page = self._ledger.entries(version.name, after=page[-1].sequence)
        return tuple(entries)


def make_marks(
    gates: tuple[GateResult, ...], metrics: Mapping[str, float], fingerprint: str, created_at: datetime
) -> dict[str, str]:
    """Return what stands beside a version in MLflow, so that a table needs one query."""
    return {
        "gates": _GATES.dump_json(gates).decode(),
        "metrics": json.dumps(dict(metrics)),
        "fingerprint": fingerprint,
        "created_ms": str(to_ms(created_at)),
    }


def _status(
    number: int, gates: tuple[GateResult, ...], champion: LedgerEntry | None, previous: LedgerEntry | None
) -> VersionStatus:
    if champion is not None and champion.manifest.version == number:
        return VersionStatus.CHAMPION
    if previous is not None and previous.manifest.version == number:
        return VersionStatus.PREVIOUS
    judged = bool(gates) and all(gate.passed for gate in gates)
    return VersionStatus.CANDIDATE if judged else VersionStatus.REJECTED


def _describe_dataset(entry: Any) -> dict[str, Any]:
    contexts = [tag.value for tag in entry.tags if tag.key == "mlflow.data.context"]
    profile = json.loads(entry.dataset.profile or "{}")
    return {"name": entry.dataset.name, "context": contexts[0] if contexts else "", **profile}
