"""Addresses of pages in MLflow's interface."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Links:
    """Deep links into MLflow's interface.

    Attributes:
        base: where the interface answers; empty where none is known, and links are then relative to it.
    """

    base: str

    @classmethod
    def to(cls, tracking_uri: str, ui_url: str | None) -> Links:
        """Return links for a tracking address; a server's interface answers at the same address."""
        known = ui_url or (tracking_uri if tracking_uri.startswith(("http://", "https://")) else "")
        return cls(known.rstrip("/") + "/" if known else "")

    def run(self, experiment_id: str, run_id: str) -> str:
        """Return the page of a run."""
        return f"{self.base}#/experiments/{experiment_id}/runs/{run_id}"

    def model(self, name: str) -> str:
        """Return the page of a model."""
        return f"{self.base}#/models/{quote(name, safe='')}"

    def version(self, name: str, version: int) -> str:
        """Return the page of a version."""
        return f"{self.model(name)}/versions/{version}"
