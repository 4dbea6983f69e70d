"""A runner thread that is busy until it is let go, so that requests queue up before it."""

import threading
from concurrent.futures import ThreadPoolExecutor


class Held:
    """One runner thread that is busy until it is let go."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self._gate = threading.Event()
        self.pool.submit(self._gate.wait)

    def release(self) -> None:
        self._gate.set()
