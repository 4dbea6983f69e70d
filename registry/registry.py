"""The registry: runs, versions, gates, promotion and rollback, with the store's ledger as the truth of who is champion.

MLflow keeps runs, metrics and versions; the ledger decides. The alias ``champion`` in MLflow is written from the
ledger for people who look there, and never read to decide anything.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from contracts import (
    NO_TENSORS,
    Action,
    ArtefactError,
    GateResult,
    LedgerEntry,
    PromotionError,
    ReleaseManifest,
    Signature,
    Task,
    TrialLimits,
    TrialPlan,
)
from gpu import open_session
from store import ReleaseStore, Store

from .catalogue import Catalogue, make_marks
from .links import Links
from .names import check_actor, check_fingerprint, check_name
from .packaging import write_package
from .runs import Run, open_run
from .tracking import Tracking, border
from .trials import TrialRecord, begin_trial, end_trial, last_trial
from .versions import Comparison, Drift, ManifestDraft, Model, Version, VersionCard, gates_passed

_log = logging.getLogger(__name__)


class Registry:
    """What is trusted.

    Args:
        tracking_uri: ``sqlite:///path/mlflow.db`` or the address of an MLflow server.
        store: its ledger decides on champions; its audit records who did what.
        releases: where released files are kept.
        artifact_root: folder for the files of runs; by default ``mlartifacts`` beside the SQLite file, and decided
            by the server where there is one.
        ui_url: where MLflow's interface answers, for links; by default the tracking server's address.
        clock: the present time.
    """

    def __init__(
        self,
        tracking_uri: str,
        store: Store,
        releases: ReleaseStore,
        *,
        artifact_root: Path | None = None,
        ui_url: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._uri = tracking_uri
        self._store = store
        self._releases = releases
        self._artifact_root = artifact_root
        self._clock = clock
        self._links = Links.to(tracking_uri, ui_url)

    @cached_property
    def _tracking(self) -> Tracking:
        return Tracking(self._uri, self._artifact_root)

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._tracking, self._store, self._links)

    @contextmanager
    def run(
        self, experiment: str, name: str, *, parameters: Mapping[str, object], tags: Mapping[str, str] | None = None
    ) -> Iterator[Run]:
        """Track a run: FINISHED at the end of the block, FAILED if it raises.

        The installed distributions and the git commit are recorded by themselves.

        Args:
            experiment: name of the experiment, made if there is none.
            name: of the run.
            parameters: what was chosen; values that are no text are written as JSON.
            tags: marks to search by.

        Raises:
            ConfigurationError: if the experiment's name is not safe.
            StoreError: if MLflow cannot be written to.
        """
        experiment_id = self._tracking.experiment_id(check_name(experiment, "experiment"))
        with open_run(self._tracking, experiment_id, name, tags=tags or {}, url_of=self._links.run) as run:
            run.log_parameters(parameters)
            yield run

    def register(
        self,
        name: str,
        onnx: Path,
        draft: ManifestDraft,
        gates: Sequence[GateResult],
        run: Run,
        *,
        golden: Path | None = None,
        fingerprint: str = "",
    ) -> Version:
        """Register a graph or a bundle of rules: a candidate, or rejected if a gate failed or none was asked.

        The same bytes are kept in MLflow and, by sha256, among the releases.

        Args:
            name: of the model.
            onnx: the exported file; of the task ``rules`` the bundle.
            draft: what its maker says of it.
            gates: the verdict; see :func:`registry.judge`.
            run: the open run that made it.
            golden: ``.npz`` of inputs and outputs recorded at export.
            fingerprint: sha256 of data, recipe and code, to find the version again.

        Raises:
            ConfigurationError: if the name or the fingerprint is not valid.
            ArtefactError: if the graph cannot be opened, or differs from its draft.
            StoreError: if MLflow cannot be written to.
        """
        check_name(name)
        if fingerprint:
            check_fingerprint(fingerprint)
        draft, signature = _complete(draft, onnx)
        verdict, sha256, now = tuple(gates), _sha256(onnx), self._clock()
        run.log_verdict(verdict)
        marks = make_marks(verdict, draft.metrics, fingerprint, now)
        manifest = ReleaseManifest(
            name=name,
            version=self._log_version(name, onnx, signature, run, marks),
            task=draft.task,
            sha256=sha256,
            size_bytes=onnx.stat().st_size,
            signature=signature,
            forecast=draft.forecast,
            golden_sha256=None if golden is None else _sha256(golden),
            gates=verdict,
            run_id=run.id,
            created_at=now,
            signs=draft.signs,
            labels=draft.labels,
            metadata=draft.metadata,
        )
        self._releases.put(onnx, manifest, golden)
        return self._catalogue.finish(manifest)

    def find(self, fingerprint: str, name: str | None = None) -> Version | None:
        """Return the newest version made from a fingerprint whose file is still whole; None where there is none."""
        check_fingerprint(fingerprint)
        for version in self._catalogue.find(fingerprint, None if name is None else check_name(name)):
            try:
                manifest = self._releases.manifest(version.sha256, version.name, version.version)
                self._releases.path(version.sha256, manifest.task)
            except ArtefactError as exc:
                _log.warning("%s version %d is not reused: %s", version.name, version.version, exc)
                continue
            return version
        return None

    def models(self) -> list[Model]:
        """Return every registered model, by name."""
        return self._catalogue.models()

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a model with figures and status, newest first.

        Raises:
            PromotionError: if no such model is registered.
        """
        return self._catalogue.versions(check_name(name))

    def version(self, name: str, version: int) -> Version:
        """Return one version.

        Raises:
            PromotionError: if it is not registered.
        """
        return self._catalogue.version(check_name(name), version)

    def show(self, name: str, version: int | None = None) -> VersionCard:
        """Return all that is known of a version, by default of the champion, or the newest before the first promotion.

        Raises:
            PromotionError: if it is not registered.
            ArtefactError: if its release is missing.
        """
        chosen = self._catalogue.version(name, version) if version else self._catalogue.foremost(check_name(name))
        manifest = self._releases.manifest(chosen.sha256, name, chosen.version)
        return self._catalogue.card(chosen, manifest)

    def compare(self, name: str, versions: Sequence[int]) -> Comparison:
        """Return versions of a model side by side: status, gates, metrics and parameters.

        Raises:
            PromotionError: if one of them is not registered.
        """
        return self._catalogue.compare(check_name(name), versions)

    def champion(self, name: str, at: datetime | None = None) -> LedgerEntry | None:
        """Return who answers, or answered at a time; asks the ledger alone and needs no MLflow."""
        return self._store.ledger.champion(check_name(name), at)

    def promote(
        self, name: str, version: int, actor: str, override: str | None = None, reason: str = ""
    ) -> LedgerEntry:
        """Make a version the champion.

        A version that failed a gate needs ``override``, the reason why it may answer nevertheless: it is written to
        the ledger and the audit. Promoting the present champion again changes nothing and returns its entry.

        Raises:
            PromotionError: if the version is unknown, or failed a gate and no override is given.
            ArtefactError: if its released file is missing or damaged.
        """
        check_actor(actor)
        found = self._catalogue.version(check_name(name), version)
        standing = self._store.ledger.champion(name)
        if standing is not None and (standing.manifest.version, standing.manifest.sha256) == (version, found.sha256):
            return standing
        manifest = self._releases.manifest(
            found.sha256, name, version
        )  # the gates of record: marks in MLflow can be edited
        override = (override or "").strip()
        passed = gates_passed(manifest.gates)
        if not passed and not override:
            raise PromotionError(_explain_refusal(manifest))
        self._releases.path(found.sha256, manifest.task)  # verified before the ledger names it
        action = Action.PROMOTE if passed else Action.OVERRIDE
        entry = self._store.ledger.append(action, manifest, actor, override or reason)
        self._record(entry)
        return entry

    def rollback(self, name: str, actor: str, reason: str) -> LedgerEntry:
        """Bring back the champion before the present one.

        Raises:
            PromotionError: if there is none.
            ArtefactError: if its released file is missing or damaged.
        """
        check_actor(actor)
        previous = self._store.ledger.previous(check_name(name))
        if previous is None:
            message = f"{name!r} has no earlier champion to go back to. Promote another version instead."
            raise PromotionError(message)
        self._releases.path(previous.manifest.sha256, previous.manifest.task)
        entry = self._store.ledger.append(Action.ROLLBACK, previous.manifest, actor, reason)
        self._record(entry)
        return entry

    def begin_trial(
        self,
        name: str,
        version: int,
        actor: str,
        *,
        canary_share: float = 0.0,
        limits: TrialLimits | None = None,
    ) -> TrialPlan:
        """Try a version beside the champion: it looks on, or answers a share of the requests.

        Raises:
            PromotionError: if it is unknown, failed a gate, or is the champion.
            ArtefactError: if its release is missing or damaged.
        """
        check_actor(actor)
        found = self._catalogue.version(check_name(name), version)
        manifest = self._releases.manifest(found.sha256, name, version)
        self._releases.path(found.sha256)
        limits = limits or TrialLimits()
        return begin_trial(self._store, manifest, actor, canary_share=canary_share, limits=limits)

    def end_trial(self, name: str, actor: str, reason: str) -> TrialRecord:
        """End a trial.

        Raises:
            PromotionError: if none goes on.
        """
        return end_trial(self._store, check_name(name), check_actor(actor), reason)

    def trial(self, name: str) -> TrialRecord | None:
        """Return the last trial of a model with all that serving has found; None where there was none."""
        return last_trial(self._store, check_name(name))

    def reconcile(self) -> list[Drift]:
        """Put every alias ``champion`` in MLflow back to what the ledger says, and report what was found."""
        drifts = self._catalogue.reconcile()
        for drift in drifts:
            detail = {"expected": drift.expected, "found": drift.found, "repaired": drift.repaired}
            self._store.audit.append("registry", "alias.reconciled", drift.name, detail)
        return drifts

    def _log_version(self, name: str, onnx: Path, signature: Signature, run: Run, marks: Mapping[str, str]) -> int:
        client = self._tracking.client
        with border(f"The model {name!r} cannot be registered"):
            label = name.replace(".", "-")  # MLflow takes dots in registered names, but not here
            logged = client.create_logged_model(run.experiment_id, name=label, source_run_id=run.id)
            with tempfile.TemporaryDirectory(prefix="cityforge-") as scratch:
                write_package(Path(scratch), onnx, signature, logged)
                client.log_model_artifacts(logged.model_id, scratch)
            client.finalize_logged_model(logged.model_id, "READY")
            return self._catalogue.create(name, logged, marks)

    def _record(self, entry: LedgerEntry) -> None:
        """Write a promotion to the audit and show it in MLflow; the ledger already stands."""
        manifest = entry.manifest
        failed = [gate.name for gate in manifest.gates if not gate.passed]
        detail = {"version": manifest.version, "sha256": manifest.sha256, "ledger": entry.sequence, "failed": failed}
        self._store.audit.append(
            entry.actor, f"model.{entry.action}", manifest.name, {**detail, "reason": entry.reason}
        )
        self._catalogue.project(manifest.name)


def _complete(draft: ManifestDraft, onnx: Path) -> tuple[ManifestDraft, Signature]:
    """Return the draft with what the graph itself declares, checked where both say something; rules declare nothing."""
    if draft.task is Task.RULES:
        return draft, NO_TENSORS
    session = open_session(onnx)
    try:
        for what, said, found in (
            ("signature", draft.signature, session.signature),
            ("forecast spec", draft.forecast, session.forecast),
        ):
            if said is not None and found is not None and said != found:
                message = f"The {what} given for '{onnx}' is {said!r}, the graph declares {found!r}. Give the graph's."
                raise ArtefactError(message)
        forecast = draft.forecast or session.forecast
        if draft.task is Task.FORECAST and forecast is None:
            message = f"'{onnx}' is to forecast, but neither it nor its draft says how. Export it with a forecast spec."
            raise ArtefactError(message)
        return draft.model_copy(update={"forecast": forecast}), session.signature
    finally:
        session.close()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _explain_refusal(version: ReleaseManifest) -> str:
    failed = [f"{gate.name} ({gate.detail})" for gate in version.gates if not gate.passed]
    why = f"failed {'; '.join(failed)}" if failed else "was not judged by any gate"
    return (
        f"{version.name!r} version {version.version} may not be promoted: it {why}. "
        "Train a better one, or promote it with an override that gives the reason."
    )
