"""One tracked run: what was tried, on what, with which result."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts import GateResult

from .environment import describe_environment, read_commit
from .names import check_artefact_path, check_fingerprint, refusal
from .tracking import Tracking, border

FIGURE_SUFFIXES = frozenset({".png", ".svg", ".jpg", ".jpeg", ".webp"})
PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt"})


class Run:
    """An open run; made by :meth:`registry.Registry.run`.

    Attributes:
        id: its id in MLflow.
        experiment_id: id of its experiment.
        url: its page in MLflow's interface.
    """

    def __init__(self, tracking: Tracking, run_id: str, experiment_id: str, url: str) -> None:
        self._tracking = tracking
        self.id = run_id
        self.experiment_id = experiment_id
        self.url = url

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures, each at a step where it has one."""
        from mlflow.entities import Metric  # loaded since the run was opened

        now_ms = time.time_ns() // 1_000_000
        records = [Metric(name, float(value), now_ms, step or 0) for name, value in metrics.items()]
        with border(f"Metrics of run {self.id} cannot be recorded"):
            for batch in _batches(records, 1000):
                self._tracking.client.log_batch(self.id, metrics=batch)

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """Record what was chosen; a parameter cannot be changed afterwards."""
        from mlflow.entities import Param  # loaded since the run was opened

        records = [Param(name, _as_text(value)) for name, value in parameters.items()]
        with border(f"Parameters of run {self.id} cannot be recorded"):
            for batch in _batches(records, 100):
                self._tracking.client.log_batch(self.id, params=batch)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Mark the run."""
        from mlflow.entities import RunTag  # loaded since the run was opened

        with border(f"Tags of run {self.id} cannot be set"):
            for batch in _batches([RunTag(name, value) for name, value in tags.items()], 100):
                self._tracking.client.log_batch(self.id, tags=batch)

    def log_figure(self, file: Path, folder: str = "figures") -> None:
        """Keep a picture.

        Raises:
            ConfigurationError: if the file is no PNG, SVG, JPEG or WebP, or the folder leads out of the run.
        """
        if file.suffix.lower() not in FIGURE_SUFFIXES:
            remedy = f"Save one of {sorted(FIGURE_SUFFIXES)}."
            raise refusal(str(file), f"{file.suffix!r} is no picture.", remedy)
        self.log_artifact(file, folder)

    def log_artifact(self, file: Path, folder: str = "") -> None:
        """Keep a file.

        Raises:
            ConfigurationError: if it is missing or a pickle, or the folder leads out of the run.
        """
        check_artefact_path(folder)
        check_artefact_path(file.name)
        if file.suffix.lower() in PICKLE_SUFFIXES:
            remedy = "Write ONNX, safetensors or data."
            raise refusal(str(file), "pickles run code when they are read.", remedy)
        if not file.is_file():
            raise refusal(str(file), "there is no such file.", "Write it before it is logged.")
        with border(f"The file {str(file)!r} cannot be kept with run {self.id}"):
            self._tracking.client.log_artifact(self.id, str(file), folder or None)

    def log_text(self, text: str, path: str) -> None:
        """Keep a text under a path such as ``model_card.md``.

        Raises:
            ConfigurationError: if the path leads out of the run.
        """
        folder, _, name = check_artefact_path(path).rpartition("/")
        with tempfile.TemporaryDirectory(prefix="cityforge-") as scratch:
            file = Path(scratch, name)
            file.write_text(text, encoding="utf-8")
            self.log_artifact(file, folder)

    def log_json(self, value: object, path: str) -> None:
        """Keep a JSON value under a path such as ``report.json``.

        Raises:
            ConfigurationError: if the path leads out of the run, or the value is no JSON.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
        except (TypeError, ValueError) as exc:
            remedy = "Use text, finite numbers, lists and mappings."
            raise refusal(path, f"the value is no JSON: {exc}.", remedy) from exc
        self.log_text(text, path)

    def log_dataset(self, name: str, fingerprint: str, *, rows: int, source: str = "", context: str = "train") -> None:
        """Record the data that the run used.

        Args:
            name: what people call it.
            fingerprint: sha256 of its content, hexadecimal.
            rows: how many.
            source: where it came from.
            context: what it was used for, such as ``train`` or ``gate``.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag  # loaded since the run was opened

        check_fingerprint(fingerprint)
        dataset = Dataset(
            name=name,
            digest=fingerprint[:32],  # MLflow keeps 36 characters; the whole stands in the profile
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps({"rows": rows, "sha256": fingerprint}),
        )
        entry = DatasetInput(dataset, tags=[InputTag("mlflow.data.context", context)])
        with border(f"The data of run {self.id} cannot be recorded"):
            self._tracking.client.log_inputs(self.id, [entry])
        self.set_tags({f"data.{context}.sha256": fingerprint})

    def log_verdict(self, gates: tuple[GateResult, ...]) -> None:
        """Write the verdict and every figure it used on the run: tags, metrics and ``verdict.json``."""
        passed = all(gate.passed for gate in gates)
        figures = {
            f"gate.{gate.name}.{key}": value
            for gate in gates
            for key, value in (("value", gate.value), ("limit", gate.limit))
            if value is not None
        }
        self.log_metrics(figures)
        self.set_tags(
            {
                "verdict": _word(passed),
                **{f"gate.{gate.name}": f"{_word(gate.passed)}: {gate.detail}" for gate in gates},
            }
        )
        self.log_json({"passed": passed, "gates": [gate.model_dump(mode="json") for gate in gates]}, "verdict.json")


@contextmanager
def open_run(
    tracking: Tracking, experiment_id: str, name: str, *, tags: Mapping[str, str], url_of: Callable[[str, str], str]
) -> Iterator[Run]:
    """Open a run and close it: FINISHED, or FAILED if the block raises (KILLED if it is interrupted)."""
    commit = read_commit(Path.cwd())
    origin = {} if commit is None else {"mlflow.source.git.commit": commit.sha, "git.dirty": str(commit.dirty).lower()}
    everything = {"mlflow.user": os.environ.get("USER", ""), **origin, **tags}
    with border(f"The run {name!r} cannot be opened"):
        started = tracking.client.create_run(experiment_id, run_name=name, tags=everything)
    run = Run(tracking, started.info.run_id, experiment_id, url_of(experiment_id, started.info.run_id))
    status = "KILLED"
    try:
        run.log_text(describe_environment(), "environment.txt")
        yield run
        status = "FINISHED"
    except Exception as exc:
        status = "FAILED"
        run.set_tags({"error": f"{type(exc).__name__}: {exc}"})
        raise
    finally:
        with border(f"The run {name!r} cannot be closed"):
            tracking.client.set_terminated(run.id, status)


def _batches(records: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _word(passed: bool) -> str:
    return "passed" if passed else "failed"
