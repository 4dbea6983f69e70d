"""A client of the platform's HTTP endpoints, blocking or asynchronous: what any application could write, written once.

It asks and answers in the words of ``contracts``, waits where the platform says to wait, and gives up at a deadline.
"""

from __future__ import annotations

from .asynchronous import AsyncPlatformClient
from .blocking import PlatformClient
from .questions import Inference, IngestResult, RefusedReading

__all__ = [
    "AsyncPlatformClient",
    "Inference",
    "IngestResult",
    "PlatformClient",
    "RefusedReading",
]
