"""Answers given before, for requests that say the same to the last bit. An option: most inputs never repeat."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts import Array

from .release import ServedModel

_ENTRY_BYTES = 512
"""What an entry costs beside its tensors, roughly."""

Outputs = dict[str, Array]


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What was asked of whom.

    Attributes:
        name: of the model.
        sha256: of its graph: the same graph gives the same answer, also after a rollback.
        digest: of the request's tensors.
    """

    name: str
    sha256: str
    digest: bytes


@dataclass(slots=True)
class ResponseCache:
    """The answers used last, as many as fit. Used on the event loop alone.

    Attributes:
        limit_bytes: of all tensors together.
        used_bytes: by what is kept now.
    """

    limit_bytes: int
    used_bytes: int = 0
    _entries: OrderedDict[CacheKey, Outputs] = field(default_factory=OrderedDict)

    @staticmethod
    def key(model: ServedModel, feeds: Mapping[str, Array]) -> CacheKey:
        """Return the key of a request that was checked."""
        found = hashlib.blake2b(digest_size=16)
        for name in sorted(feeds):
            array = feeds[name]
            found.update(f"{name}\0{array.dtype.str}{array.shape}\0".encode())
            found.update(array.tobytes())
        return CacheKey(model.name, model.manifest.sha256, found.digest())

    def get(self, key: CacheKey) -> Outputs | None:
        """Return the answer that was given before; None where there was none, or it had to make room."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: CacheKey, outputs: Mapping[str, Array]) -> None:
        """Keep an answer; what was not used for longest makes room for it."""
        size = _size_of(outputs)
        if size > self.limit_bytes or key in self._entries:
            return
        self.used_bytes += size
        self._entries[key] = {name: _kept(array) for name, array in outputs.items()}
        while self.used_bytes > self.limit_bytes:
            _, dropped = self._entries.popitem(last=False)
            self.used_bytes -= _size_of(dropped)

    def forget(self, name: str) -> None:
        """Drop every answer of a model."""
        for key in [key for key in self._entries if key.name == name]:
            self.used_bytes -= _size_of(self._entries.pop(key))


def _size_of(outputs: Mapping[str, Array]) -> int:
    return _ENTRY_BYTES + sum(array.nbytes for array in outputs.values())


def _kept(array: Array) -> Array:
    """Return a copy: a part of a batch's output would keep the whole batch, and a caller could write into it."""
    copied = array.copy()
    copied.flags.writeable = False
    return copied
