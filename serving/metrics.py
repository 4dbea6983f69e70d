"""Metrics of our own: few names, few labels, and none that a client can make up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from store import IngestReport

from .engine import ServedModel

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_MANY_WORKERS = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """The metrics of one model, looked up once.

    Attributes:
        answered: requests that were answered.
        failed: requests that were not.
        seconds: time from a request's bytes to its answer's.
    """

    answered: Counter
    failed: Counter
    seconds: Histogram


class Metrics:
    """Counters of one process; with several workers, :meth:`render` sums over all of them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.inferences = Counter(
            "cityforge_inferences",
            "Inference requests by model and outcome.",
            ["model", "outcome"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "cityforge_inference_seconds",
            "Time from a request's bytes to its answer's.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.readings = Counter(
            "cityforge_readings", "Readings by what became of them.", ["outcome"], registry=self._registry
        )
        self.queued = Counter(
            "cityforge_queue_seconds",
            "Seconds that inference requests waited for a thread, by model.",
            ["model"],
            registry=self._registry,
        )
        self.logged = Counter(
            "cityforge_logged_inferences",
            "Inferences drawn for the inference log, by whether they were kept.",
            ["outcome"],
            registry=self._registry,
        )
        self._models: dict[str, ModelMetrics] = {}

    def of_model(self, name: str) -> ModelMetrics:
        """Return the metrics of a model that is served: the names are ours, not the clients'."""
        found = self._models.get(name)
        if found is None:
            found = self._models[name] = ModelMetrics(
                self.inferences.labels(name, "answered"),
                self.inferences.labels(name, "failed"),
                self.seconds.labels(name),
            )
        return found

    def count_queued(self, models: Iterable[ServedModel]) -> None:
        """Count how long requests have waited since this was last called; not while one is answered: it would cost."""
        for model in models:
            used = (model.usage, *(part.usage for part in model.parts.values()))
            self.queued.labels(model.name).inc(sum(usage.take_queued_s() for usage in used))

    def count_readings(self, report: IngestReport, refused: int) -> None:
        """Count what became of the readings of one request."""
        for outcome, count in (
            ("accepted", report.accepted),
            ("duplicate", report.duplicates),
            ("revision", report.revisions),
            ("refused", refused),
        ):
            self.readings.labels(outcome).inc(count)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        if _MANY_WORKERS not in os.environ:
            return generate_latest(self._registry)
        summed = CollectorRegistry()
        MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return generate_latest(summed)
