"""What must not be lost: readings, inbox and outbox, episodes, verdicts, leases, ledger, audit, released files.

:class:`Store` is one database, SQLite or PostgreSQL; :class:`ReleaseStore` is a folder of files,
local or in an object store.
"""

from __future__ import annotations

from .audit import AuditEntry
from .chain import ChainBreak, ChainHead
from .facade import Store, wall_clock_ms
from .inbox import IngestReport
from .leases import Lease
from .listing import EpisodeFilter
from .readings import ReadingRevision, Series
from .releases import ReleaseStore
from .runtime import RuntimeCommit, RuntimeState

__all__ = [
    "AuditEntry",
    "ChainBreak",
    "ChainHead",
    "EpisodeFilter",
    "IngestReport",
    "Lease",
    "ReadingRevision",
    "ReleaseStore",
    "RuntimeCommit",
    "RuntimeState",
    "Series",
    "Store",
    "wall_clock_ms",
]
