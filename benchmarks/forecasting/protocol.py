"""What every forecasting benchmark shares: its form, its errors, the check of the naive baseline."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts import FactoryError

Figures = dict[str, object]
"""Key → figure, as printed in the last line."""


class ProtocolError(FactoryError):
    """A benchmark cannot be trusted: its data is not what it expects, or a published baseline does not come out."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One sub-command; each module of this package that measures something offers one.

    Attributes:
        summary: one line for ``--help``.
        configure: declares the arguments beyond ``--json``.
        measure: returns all figures; raises ``ProtocolError`` if a published baseline is not reproduced.
    """

    summary: str
    configure: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace], Figures]


def data_file(arguments: argparse.Namespace, folder: str, name: str) -> Path:
    """Return the file to read: ``--file`` where given, else its usual place below ``--data``.

    Raises:
        ProtocolError: if there is no such file.
    """
    path: Path = arguments.file or arguments.data / folder / name
    if not path.is_file():
        message = f"There is no file {str(path)!r}. Give the folder that holds {folder}/{name} as --data, or a --file."
        raise ProtocolError(message)
    return path


def check_baseline(published: Mapping[str, float], measured: Mapping[str, float], tolerance: float = 6e-4) -> None:
    """Fail unless each published figure comes out, to the digits it was published with.

    Raises:
        ProtocolError: listing every figure that differs.
    """
    wrong = [
        f"{name}: published {figure:g}, measured {measured[name]:.4f}"
        for name, figure in published.items()
        if not abs(measured[name] - figure) <= tolerance
    ]
    if wrong:
        message = f"The naive baseline does not come out as published: {'; '.join(wrong)}. Check data and split."
        raise ProtocolError(message)
