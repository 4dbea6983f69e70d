"""An open forecaster, asked for many signs at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contracts import HIERARCHY, Array, ForecastSpec, Hierarchy, ReleaseManifest, calendar_features
from store.panels import Aggregate

if TYPE_CHECKING:
    from gpu import Session  # it loads onnxruntime, which the settings of this room have no use for

MS_PER_S = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """An open forecaster.

    Attributes:
        name: its registered name.
        version: its version.
        spec: what it needs and gives.
        session: its graph.
        aggregate: what stands for several readings of one of its steps.
        hierarchy: how its signs add up; None where its release says nothing of it.
    """

    name: str
    version: int
    spec: ForecastSpec
    session: Session
    aggregate: Aggregate = Aggregate.LAST
    hierarchy: Hierarchy | None = None

    def forecast(self, contexts: NDArray[np.float32], origins_ms: NDArray[np.int64]) -> Array:
        """Return quantiles, shape ``(sign, horizon, quantile)``, of contexts ``(sign, time)``."""
        feeds: dict[str, Array] = {"context": contexts}
        if self.spec.calendar is not None:
            steps = np.arange(1 - self.spec.context, self.spec.horizon + 1, dtype=np.int64)
            times_ms = origins_ms[:, None] + steps * self.spec.interval_s * MS_PER_S
            feeds["calendar"] = calendar_features(times_ms, self.spec.calendar)
        return self.session.run(feeds)["quantiles"]


def aggregate_of(manifest: ReleaseManifest) -> Aggregate:
    """Return how readings of one step are put together, as the model was trained; the last stands by default."""
    data = manifest.metadata.get("recipe", {}).get("data", {})
    said = Aggregate(data.get("aggregate", Aggregate.LAST))
    return Aggregate.LAST if said is Aggregate.STRICT else said


def hierarchy_of(manifest: ReleaseManifest) -> Hierarchy | None:
    """Return how the signs of a release add up; None where it says nothing of it.

    Raises:
        DataError: if what it says cannot be read.
    """
    document = manifest.metadata.get(HIERARCHY)
    return None if document is None else Hierarchy.from_json(document)
