"""Threads for work that is no model's: bounded, refused early, dropped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contracts import OverloadedError
from serving.errors import DeadlineError

WAITING_PER_THREAD = 64
_RETRY_AFTER_S = 1.0


class WorkerPool:
    """A few threads and a bounded queue before them.

    Args:
        threads: how many.
        waiting: calls that may wait; None for 64 a thread.
    """

    def __init__(self, threads: int, waiting: int | None = None) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="stage")
        self._places = threading.Semaphore(threads + (threads * WAITING_PER_THREAD if waiting is None else waiting))

    async def run(self, function: Callable[..., Any], *arguments: Any, deadline: float) -> Any:
        """Call a function on a thread; cancelled while it waits, it is never called.

        Args:
            function: what to call.
            arguments: what to call it with.
            deadline: on the monotonic clock; a call that has not begun by then is not made.

        Raises:
            OverloadedError: if too many calls wait.
            DeadlineError: if the deadline passed before the call began.
        """
        if not self._places.acquire(blocking=False):
            message = "Too many calls wait for the threads that decode and prepare."
            raise OverloadedError(message, _RETRY_AFTER_S)
        call = self._threads.submit(_call_in_time, function, arguments, deadline)
        # At the end of the call itself: an abandoned one still holds its thread.
        call.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(call)

    def close(self) -> None:
        """Finish what runs and stop the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _call_in_time(function: Callable[..., Any], arguments: tuple[Any, ...], deadline: float) -> Any:
    if time.monotonic() > deadline:
        message = "The deadline passed while the request waited to be decoded."
        raise DeadlineError(message)
    return function(*arguments)
