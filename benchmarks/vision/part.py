"""What a part of the benchmark is given, and the small things that all parts need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry import Registry
from store import ReleaseStore, Store

Figures = dict[str, float | bool | None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure on.

    Attributes:
        data: folder with ``potholes``, ``coco_val128``, ``street_video`` and ``weights``.
        pictures: folder of labelled pictures to train on; ``data/potholes`` unless another is named.
        architecture: network to train.
        weights: file that it starts from; None starts from scratch.
        budget_s: seconds for each fit.
        scratch: where to work.
        before: figures of the parts that ran before.
    """

    data: Path
    pictures: Path
    architecture: str
    weights: Path | None
    budget_s: float
    scratch: Path
    before: Mapping[str, float | bool | None] = field(default_factory=dict)

    def need(self, *names: str) -> Path:
        """Return a path below ``data``.

        Raises:
            SystemExit: if it is not there.
        """
        path = self.data.joinpath(*names)
        if not path.exists():
            message = f"{path} does not exist. Name the folder of the benchmark's data with --data."
            raise SystemExit(message)
        return path


@contextmanager
def open_registry(folder: Path) -> Iterator[Registry]:
    """Open a registry of its own under a folder; its releases lie in ``releases`` there."""
    folder.mkdir(parents=True, exist_ok=True)
    with Store.open(f"sqlite:///{folder / 'store.db'}", create=True) as store:
        yield Registry(f"sqlite:///{folder / 'mlflow.db'}", store, ReleaseStore(folder / "releases"))


def say(text: str) -> None:
    """Tell progress on standard error; standard output holds the figures."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def progress(prefix: str) -> Callable[[str, float], None]:
    """Return a progress function that tells each new step once."""
    told: set[str] = set()

    def report(what: str, _share: float) -> None:
        if what not in told:
            told.add(what)
            say(f"{prefix}: {what}")

    return report
