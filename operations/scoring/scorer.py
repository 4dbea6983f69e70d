"""An open forecaster, asked for many signs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contracts import HIERARCHY, Array, DataError, ForecastSpec, Hierarchy, ReleaseManifest, calendar_features
from store.panels import Aggregate, KnownCovariates

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
        known: covariates known ahead; needed where the spec names some.
        static: sign → covariates that do not change; one it does not hold takes ``usual``.
        usual: static covariates of a sign that was not trained on.
    """

    name: str
    version: int
    spec: ForecastSpec
    session: Session
    aggregate: Aggregate = Aggregate.LAST
    hierarchy: Hierarchy | None = None
    known: KnownCovariates | None = None
    static: Mapping[str, Sequence[float]] = field(default_factory=dict)
    usual: Sequence[float] = ()

    def forecast(self, signs: Sequence[str], contexts: NDArray[np.float32], origins_ms: NDArray[np.int64]) -> Array:
        """Return quantiles, shape ``(sign, horizon, quantile)``, of contexts ``(sign, time)``.

        Raises:
            DataError: if a covariate is not known for every step ahead.
        """
        steps = np.arange(1 - self.spec.context, self.spec.horizon + 1, dtype=np.int64)
        times_ms = origins_ms[:, None] + steps * self.spec.interval_s * MS_PER_S
        feeds: dict[str, Array] = {"context": contexts}
        if self.spec.calendar is not None:
            feeds["calendar"] = calendar_features(times_ms, self.spec.calendar)
        if self.spec.known:
            feeds["known"] = self._known(signs, times_ms)
        if self.spec.static:
            rows = [self.static.get(sign, self.usual) for sign in signs]
            feeds["static"] = np.array(rows, np.float32)
        return self.session.run(feeds)["quantiles"]

    def _known(self, signs: Sequence[str], times_ms: NDArray[np.int64]) -> Array:
        if self.known is None:
            message = f"{self.name!r} needs {list(self.spec.known)} for every step ahead. Give them with --known FILE."
            raise DataError(message)
        self.known.check(signs, times_ms[:, self.spec.context :])
        return np.nan_to_num(self.known.at(signs, times_ms))


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
