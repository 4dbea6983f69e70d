"""One released version, opened and proven: nothing answers requests that did not repeat its golden outputs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from contracts import Array, ArtefactError, AxisName, ReleaseManifest, Signature, TensorError, TensorSpec
from gpu import Session, open_session
from store import ReleaseStore

from .batcher import BATCH_BUDGET_S, MAXIMUM_ROWS, can_mix
from .parts import Part, open_parts
from .usage import Usage

GOLDEN_RELATIVE_TOLERANCE = 1e-4
"""Other processors round otherwise; a wrong or damaged graph is off by far more."""
_INPUTS, _OUTPUTS = "inputs/", "outputs/"
_WARM_RUNS = 5
_ROWS_NAMED = 5


@dataclass(slots=True, eq=False)
class ServedModel:
    """A version that may answer.

    Attributes:
        manifest: what was released.
        session: its open graph.
        run_s: seconds that one run of a single row takes here, measured when it was opened.
        parts: the parts of a graph that was merged from several, by name; empty for others.
        usage: what it was asked since it was opened.
    """

    manifest: ReleaseManifest
    session: Session
    run_s: float = 0.0
    parts: dict[str, Part] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    @property
    def name(self) -> str:
        """The model's registered name."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """The model's version."""
        return self.manifest.version

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.manifest.signature

    def check(self, feeds: Mapping[str, Array]) -> int:
        """Check a request against the signature and return its rows.

        Raises:
            TensorError: if it does not fit, or a row of a forecaster holds too few readings.
        """
        rows = self.manifest.signature.check_inputs(feeds)
        if self.manifest.forecast is not None:
            self._check_observed(feeds, self.manifest.forecast.minimum_observed)
        return rows

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph once on the calling thread."""
        return self.session.run(feeds)

    def _check_observed(self, feeds: Mapping[str, Array], minimum: int) -> None:
        for spec in self.manifest.signature.inputs:
            if not spec.missing or [axis.name for axis in spec.axes] != [AxisName.BATCH, AxisName.TIME]:
                continue
            observed = np.count_nonzero(np.isfinite(feeds[spec.name]), axis=1)
            poor = np.flatnonzero(observed < minimum)
            if poor.size:
                rows = ", ".join(f"{row} ({observed[row]})" for row in poor[:_ROWS_NAMED])
                message = (
                    f"Tensor {spec.name!r} holds fewer than {minimum} readings in {poor.size} of {len(observed)} rows: "
                    f"{rows}. Leave these rows out, or wait for readings."
                )
                raise TensorError(message)


def open_release(releases: ReleaseStore, manifest: ReleaseManifest) -> ServedModel:
    """Open a released version and prove it: the file, the signature, the golden outputs.

    Raises:
        ArtefactError: if the file is missing, corrupt or another one, its signature is not the manifest's, or
            it does not repeat its golden outputs.
    """
    path = releases.path(manifest.sha256)
    session = open_session(path)
    if session.signature != manifest.signature:
        message = f"{_title(manifest)} has another signature than its manifest. Release it again."
        raise ArtefactError(message)
    model = ServedModel(manifest, session, parts=open_parts(path, session, manifest))
    golden = releases.golden(manifest)
    if golden is not None:
        _check_golden(model, golden)
        _check_parts(model, golden)
    model.run_s = _measure(model)
    _warm_batches(model)
    return model


def _check_golden(model: ServedModel, golden: Mapping[str, Array]) -> None:
    feeds = {name.removeprefix(_INPUTS): array for name, array in golden.items() if name.startswith(_INPUTS)}
    try:
        model.manifest.signature.check_inputs(feeds)
        outputs = model.run(feeds)
    except TensorError as exc:
        message = f"The golden inputs of {_title(model.manifest)} do not fit it: {exc}"
        raise ArtefactError(message) from exc
    for spec in model.manifest.signature.outputs:
        recorded = golden.get(_OUTPUTS + spec.name)
        if recorded is None:
            message = f"The golden outputs of {_title(model.manifest)} lack {spec.name!r}. Export the model again."
            raise ArtefactError(message)
        if not _matches(outputs[spec.name], recorded):
            message = (
                f"{_title(model.manifest)} does not repeat its golden output {spec.name!r}: this graph must not "
                "answer. Export and release the model again."
            )
            raise ArtefactError(message)


def _check_parts(model: ServedModel, golden: Mapping[str, Array]) -> None:
    """See that the parts, one after the other, give what the whole graph gives."""
    if not model.parts:
        return
    known = {name.removeprefix(_INPUTS): array for name, array in golden.items() if name.startswith(_INPUTS)}
    whole = model.run(known)
    for part in model.parts.values():
        known |= part.run({spec.name: known[spec.name] for spec in part.signature.inputs})
    for name, expected in whole.items():
        if not _matches(known[name], expected):
            message = f"The parts of {_title(model.manifest)} give another {name!r} than the whole. Export it again."
            raise ArtefactError(message)


def _matches(actual: Array, recorded: Array) -> bool:
    if actual.shape != recorded.shape or actual.dtype != recorded.dtype:
        return False
    if actual.dtype.kind != "f":
        return bool(np.array_equal(actual, recorded))
    finite = np.abs(recorded[np.isfinite(recorded)])
    scale = float(finite.max()) if finite.size else 1.0
    return bool(
        np.allclose(
            actual,
            recorded,
            rtol=GOLDEN_RELATIVE_TOLERANCE,
            atol=GOLDEN_RELATIVE_TOLERANCE * max(scale, 1e-6),
            equal_nan=True,
        )
    )


def _measure(model: ServedModel) -> float:
    """Run single rows of zeros, so that the first request finds everything warm; return the fastest run's seconds."""
    feeds = {spec.name: zeros(spec) for spec in model.manifest.signature.inputs}
    taken = []
    for _ in range(_WARM_RUNS):
        started = time.perf_counter()
        model.run(feeds)
        taken.append(time.perf_counter() - started)
    return min(taken)


def _warm_batches(model: ServedModel) -> None:
    """Run every power of two that a batch may reach, so that the first rush of requests finds those sizes warm too."""
    if not can_mix(model.signature):
        return
    rows = 2
    while rows <= MAXIMUM_ROWS and rows * model.run_s <= BATCH_BUDGET_S:
        model.run({spec.name: zeros(spec, rows) for spec in model.signature.inputs})
        rows *= 2


def zeros(spec: TensorSpec, rows: int = 1, length: int = 64) -> Array:
    """Return an array of zeros that fits a tensor: ``rows`` on its batch axis, ``length`` on other dynamic axes."""
    shape = [rows if axis.name is AxisName.BATCH else length for axis in spec.axes]
    return np.zeros([axis.size or given for axis, given in zip(spec.axes, shape, strict=True)], spec.dtype.numpy)


def _title(manifest: ReleaseManifest) -> str:
    return f"The model {manifest.name!r} version {manifest.version}"
