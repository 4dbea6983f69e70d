"""Where a fit stands after an epoch, on disk, so that one that was killed goes on and ends the same.

Arrays and JSON alone, never pickles. A checkpoint is written whole or not at all, and belongs to one fingerprint of
data, recipe and code: its folder is named by it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FILE = "checkpoint.npz"
_NOTES = "notes"
_RANDOM = "torch_random"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file in a folder.

    Args:
        folder: made at the first save.
    """

    folder: Path

    def save(self, states: Mapping[str, Mapping[str, Any]], notes: Mapping[str, Any]) -> None:
        """Write states and notes, and the state of torch's random generator.

        Args:
            states: name → state dict of tensors, as modules and optimisers give it.
            notes: JSON.
        """
        arrays: dict[str, Any] = {_RANDOM: torch.get_rng_state().numpy()}
        plain: dict[str, Any] = {}
        for name, state in states.items():
            plain[name] = _split(state, name, arrays)
        arrays[_NOTES] = np.array(json.dumps({"notes": notes, "states": plain}))
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "partial.npz"
        np.savez(partial, **arrays)
        partial.replace(self.folder / FILE)

    def load(self) -> tuple[dict[str, dict[Any, Any]], dict[str, Any]] | None:
        """Return states and notes and restore torch's random generator; None where nothing was saved."""
        path = self.folder / FILE
        if not path.is_file():
            return None
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        told = json.loads(str(arrays[_NOTES]))
        torch.set_rng_state(torch.from_numpy(arrays[_RANDOM]))
        return {name: _join(plain, arrays) for name, plain in told["states"].items()}, told["notes"]

    def remove(self) -> None:
        """Take the folder away: the fit is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _split(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Return a state as JSON, its tensors put aside under their paths."""
    if isinstance(value, Tensor):
        arrays[path] = value.detach().numpy()
        return {"tensor": path}
    if isinstance(value, Mapping):
        items = [[key, _split(item, f"{path}/{key}", arrays)] for key, item in value.items()]
        return {"items": items}
    if isinstance(value, (list, tuple)):
        return {"list": [_split(item, f"{path}/{number}", arrays) for number, item in enumerate(value)]}
    return {"plain": value}


def _join(plain: Any, arrays: Mapping[str, Any]) -> Any:
    ((kind, value),) = plain.items()
    if kind == "tensor":
        return torch.from_numpy(arrays[value].copy())
    if kind == "items":
        return {key: _join(item, arrays) for key, item in value}
    if kind == "list":
        return [_join(item, arrays) for item in value]
    return value
