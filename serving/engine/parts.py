"""Parts of a released graph that run on their own, so that pictures of mixed sizes share a run of the network.

A detector's released graph takes one picture of any size. Cut at its inner tensors, its network takes many pictures at
once, whatever sizes they had.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contracts import Array, AxisName, ReleaseManifest, Signature, Task
from gpu import Cut, Session, cut_graph, open_session

from .usage import Usage

DETECTOR_KEY = "cityforge.detector"
"""The metadata by which a graph declares that it has these parts."""
PRE, CORE, POST = "pre", "core", "post"
DETECTOR_CUTS = {
    PRE: Cut(("image",), ("pixels", "geometry")),
    CORE: Cut(("pixels",), ("raw",), batched=True),
    POST: Cut(("raw", "geometry"), ("boxes", "scores", "classes")),
}
_WARM_RUNS = 3


@dataclass(slots=True, eq=False)
class Part:
    """A part of a version.

    Attributes:
        name: of the model and the part, for messages.
        session: its open graph.
        run_s: seconds that one run of a single row takes here.
        usage: its runs.
    """

    name: str
    session: Session
    run_s: float = 0.0
    usage: Usage = field(default_factory=Usage)

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.session.signature

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run it once on the calling thread."""
        return self.session.run(feeds)


def open_parts(path: Path, session: Session, manifest: ReleaseManifest) -> dict[str, Part]:
    """Open the parts of a detector of ours; other graphs have none.

    Args:
        path: the released file.
        session: the whole graph, open.
        manifest: what was released.

    Raises:
        ArtefactError: if the graph declares parts that it does not have.
    """
    if manifest.task is not Task.DETECT or DETECTOR_KEY not in session.metadata:
        return {}
    graphs = cut_graph(path, DETECTOR_CUTS)
    parts = {name: Part(f"{manifest.name}/{name}", open_session(graph)) for name, graph in graphs.items()}
    core = parts[CORE]
    core.run_s = _measure(core)
    return parts


def _measure(part: Part) -> float:
    """Run single rows, so that the first request finds the part warm; return the fastest run's seconds."""
    feeds = {
        spec.name: np.zeros([1 if axis.name is AxisName.BATCH else axis.size or 64 for axis in spec.axes], spec.dtype)
        for spec in part.signature.inputs
    }
    taken = []
    for _ in range(_WARM_RUNS):
        started = time.perf_counter()
        part.run(feeds)
        taken.append(time.perf_counter() - started)
    return min(taken)
