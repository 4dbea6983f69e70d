"""Where readings go: the platform's public endpoint, on a thread of its own, tried again until they are taken."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

import httpx
from pydantic import SecretStr

from contracts import ClientTls, Reading, verification

BATCH = 500
MOST_WAITING = 100_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
_TIMEOUT_S = 10.0
_TAKEN = (200, 207, 422)
"""Committed, or told why not: trying again would change nothing."""

logger = logging.getLogger(__name__)


class ReadingSink:
    """Posts readings in order; posting twice changes nothing.

    Args:
        url: of serving.
        key: API key; None where it answers without.
        tls: whom to trust and who to be; None trusts the authorities of this machine.
    """

    def __init__(self, url: str, key: SecretStr | None, *, tls: ClientTls | None = None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        verify = verification(tls)
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, verify=verify, trust_env=False)
        self._waiting: deque[Reading] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="post-readings", daemon=True)
        self.posted = 0
        self.refused = 0

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def put(self, readings: Sequence[Reading]) -> None:
        """Queue readings; the oldest are let go where a hundred thousand wait."""
        if readings:
            with self._changed:
                self._waiting.extend(readings)
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is posted; return whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Post what waits, as far as time allows, and end."""
        self.flush(timeout_s)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=_TIMEOUT_S)
        self._client.close()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._stopping)
                if self._stopping:
                    return
                batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
            if self._post(batch):
                pause_s = FIRST_PAUSE_S
                with self._changed:
                    for _ in range(min(len(batch), len(self._waiting))):
                        self._waiting.popleft()
                    self._changed.notify_all()
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _post(self, batch: Sequence[Reading]) -> bool:
        """Post once; return whether the platform has dealt with it."""
        body = {"readings": [reading.model_dump(mode="json") for reading in batch]}
        try:
            answer = self._client.post("/readings", json=body)
        except httpx.TransportError as exc:
            logger.warning("readings cannot be posted: %s", type(exc).__name__)
            return False
        if answer.status_code not in _TAKEN:
            logger.warning("readings cannot be posted: %d %s", answer.status_code, answer.text[:200])
            return False
        refused = answer.json().get("refused", [])
        for one in refused[:3]:
            logger.warning("reading of %s refused: %s", one.get("sign"), one.get("reason"))
        self.refused += len(refused)
        self.posted += len(batch) - len(refused)
        return True
