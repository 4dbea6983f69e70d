"""What MLflow's registry holds, read with the ledger beside it.

Versions that others put into MLflow by hand carry none of our marks and are left out: nothing is known of their gates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from contracts import GateResult, LedgerEntry, PromotionError, ReleaseManifest, StoreError, from_ms, to_ms
from store import Store

from .links import Links
from .tracking import Tracking, already_there, border
from .versions import Comparison, ComparisonRow, Drift, Model, Version, VersionCard, VersionStatus, gates_passed

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CHAMPION_ALIAS = "champion"
_PAGE = 1000
_SHA256_TAG = "cityforge.sha256"
"""Set last: a version without it was never finished, or is none of ours."""
_KINDS = ("status", "gate", "metric", "parameter")
_GATES = TypeAdapter(tuple[GateResult, ...])


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ledger says of one model: numbers of the champion and of the one that a rollback brings back."""

    champion: int | None
    previous: int | None

    def status(self, number: int, gates: tuple[GateResult, ...]) -> VersionStatus:
        if number == self.champion:
            return VersionStatus.CHAMPION
        if number == self.previous:
            return VersionStatus.PREVIOUS
        return VersionStatus.CANDIDATE if gates_passed(gates) else VersionStatus.REJECTED


class Catalogue:
    """Models and versions as MLflow keeps them, in the state that the ledger gives them."""

    def __init__(self, tracking: Tracking, store: Store, links: Links) -> None:
        self._client = tracking.client
        self._ledger = store.ledger
        self._links = links

    def create(self, name: str, logged: LoggedModel, marks: Mapping[str, str]) -> int:
        """Add a version of a model, made if it is new, and return its number; it is not yet finished."""
        with already_there():
            self._client.create_registered_model(name)
        made = self._client.create_model_version(
            name,
            logged.artifact_location,  # not models:/…, which MLflow looks up at the process-wide address, not here
            run_id=logged.source_run_id,
            model_id=logged.model_id,
            tags={f"cityforge.{key}": value for key, value in marks.items()},
            await_creation_for=0,  # files are in place before: there is nothing to wait for
        )
        return int(made.version)

    def finish(self, manifest: ReleaseManifest) -> Version:
        """Declare a version whole: only then it is listed, found and promoted."""
        with border(f"Version {manifest.version} of {manifest.name!r} cannot be finished"):
            self._client.set_model_version_tag(manifest.name, str(manifest.version), _SHA256_TAG, manifest.sha256)
        return self.version(manifest.name, manifest.version)

    def find(self, fingerprint: str, name: str | None) -> list[Version]:
        """Return finished versions of a fingerprint, newest first."""
        where = f"tags.`cityforge.fingerprint` = '{fingerprint}'"
        found = list(self._search(where if name is None else f"name = '{name}' AND {where}"))
        standings = {one.name: self._standing(one.name) for one in found}
        versions = [self._version(one, standings[one.name]) for one in found if _SHA256_TAG in one.tags]
        return sorted(versions, key=lambda version: version.created_at, reverse=True)

    def versions(self, name: str) -> list[Version]:
        """Return the finished versions of a model, newest first."""
        standing = self._standing(name)
        listed = [self._version(one, standing) for one in self._finished(name)]
        if not listed:
            known = ", ".join(model.name for model in self.models()) or "none"
            message = f"No version of {name!r} is registered. Known models: {known}. Train one with `cityforge train`."
            raise PromotionError(message)
        return listed

    def version(self, name: str, number: int) -> Version:
        """Return one finished version."""
        from mlflow.exceptions import MlflowException  # loaded by now

        try:
            found = self._client.get_model_version(name, str(int(number)))
        except MlflowException as exc:
            if exc.error_code != "RESOURCE_DOES_NOT_EXIST":
                message = f"Version {number} of {name!r} cannot be read: {exc} Check MLflow's address and permissions."
                raise StoreError(message) from exc
            found = None
        if found is None or _SHA256_TAG not in found.tags:
            known = ", ".join(str(version.version) for version in self.versions(name)[:10])
            message = f"{name!r} has no version {number!r}. Its newest versions are {known}."
            raise PromotionError(message)
        return self._version(found, self._standing(name))

    def foremost(self, name: str) -> Version:
        """Return the champion, or the newest version where there is none."""
        versions = self.versions(name)
        return next((one for one in versions if one.status is VersionStatus.CHAMPION), versions[0])

    def models(self) -> list[Model]:
        """Return every model with a finished version, by name; asks once for all, however many versions there are."""
        champions = self._ledger.champions() | self._ledger.rule_sets()
        with border("The models in MLflow cannot be read"):
            newest = {model.name: _newest(model) for model in self._all_models()}
        listed = []
        for name in sorted(newest):
            if newest[name] is None:  # the newest was never finished: an older one may have been
                newest[name] = next(iter(self._finished(name)), None)
            if (found := newest[name]) is not None:
                listed.append(self._model(found, champions.get(name)))
        return listed

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
            commit=run.data.tags.get("mlflow.source.git.commit", ""),
            run_url=self._links.run(run.info.experiment_id, version.run_id),
        )

    def compare(self, name: str, numbers: Sequence[int]) -> Comparison:
        """Return versions side by side, asking MLflow once for each of their runs."""
        versions = tuple(self.version(name, number) for number in numbers)
        columns: list[dict[tuple[str, str], str | float]] = []
        for version in versions:
            with border(f"Run {version.run_id} cannot be read"):
                run = self._client.get_run(version.run_id)
            columns.append(_column(version, run.data.metrics, run.data.params))
        keys = sorted({key for column in columns for key in column}, key=lambda key: (_KINDS.index(key[0]), key[1]))
        rows = tuple(ComparisonRow(*key, tuple(column.get(key) for column in columns)) for key in keys)
        return Comparison(name, versions, rows)

    def project(self, name: str) -> None:
        """Point the alias at the ledger's champion; again, if another promotion came meanwhile."""
        shown = None
        while (champion := self._ledger.champion(name)) is not None and champion.sequence != shown:
            with border(f"The ledger stands, but the alias of {name!r} in MLflow cannot be set; reconcile it later"):
                self._client.set_registered_model_alias(name, CHAMPION_ALIAS, str(champion.manifest.version))
            shown = champion.sequence

    def reconcile(self) -> list[Drift]:
        """Compare every alias with the ledger and put it right."""
        champions = self._ledger.champions() | self._ledger.rule_sets()
        with border("The aliases in MLflow cannot be read"):
            shown = {model.name: model.aliases.get(CHAMPION_ALIAS) for model in self._all_models()}
        expected = {name: entry.manifest.version for name, entry in champions.items()}
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

    def _model(self, newest: ModelVersion, champion: LedgerEntry | None) -> Model:
        created_at = from_ms(int(newest.tags["cityforge.created_ms"]))
        return Model(
            name=newest.name,
            champion=None if champion is None else champion.manifest.version,
            champion_since=None if champion is None else champion.time,
            latest=int(newest.version),
            updated_at=created_at if champion is None else max(created_at, champion.time),
            url=self._links.model(newest.name),
        )

    def _standing(self, name: str) -> _Standing:
        champion, previous = self._ledger.champion(name), self._ledger.previous(name)
        return _Standing(
            champion=None if champion is None else champion.manifest.version,
            previous=None if previous is None else previous.manifest.version,
        )

    def _version(self, found: ModelVersion, standing: _Standing) -> Version:
        tags, number = found.tags, int(found.version)
        gates = _GATES.validate_json(tags["cityforge.gates"])
        return Version(
            name=found.name,
            version=number,
            status=standing.status(number, gates),
            sha256=tags[_SHA256_TAG],
            run_id=found.run_id,
            created_at=from_ms(int(tags["cityforge.created_ms"])),
            gates=gates,
            metrics=json.loads(tags["cityforge.metrics"]),
            fingerprint=tags["cityforge.fingerprint"],
            url=self._links.version(found.name, number),
        )

    def _finished(self, name: str) -> list[ModelVersion]:
        found = [one for one in self._search(f"name = '{name}'") if _SHA256_TAG in one.tags]
        return sorted(found, key=lambda one: int(one.version), reverse=True)

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


def _newest(model: RegisteredModel) -> ModelVersion | None:
    newest = max(model.latest_versions, key=lambda one: int(one.version), default=None)
    return newest if newest is not None and _SHA256_TAG in newest.tags else None


def _column(
    version: Version, metrics: Mapping[str, float], parameters: Mapping[str, str]
) -> dict[tuple[str, str], str | float]:
    gates = {("gate", gate.name): f"{'passed' if gate.passed else 'failed'}: {gate.detail}" for gate in version.gates}
    measured = {("metric", key): value for key, value in metrics.items() if not key.startswith("gate.")}
    chosen = {("parameter", key): value for key, value in parameters.items()}
    return {("status", "status"): version.status.value, **gates, **measured, **chosen}


def _describe_dataset(entry: Any) -> dict[str, Any]:
    contexts = [tag.value for tag in entry.tags if tag.key == "mlflow.data.context"]
    profile = json.loads(entry.dataset.profile or "{}")
    return {"name": entry.dataset.name, "context": contexts[0] if contexts else "", **profile}
