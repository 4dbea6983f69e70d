"""Patience: time stands still while a model is away, up to a limit; then it counts as silent and time moves on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from contracts import Array, OverloadedError

from .questions import Answer, Respondent

_LONGEST_PAUSE_S = 2.0

logger = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 - not an error: the process was asked to stop
    """Raised out of a wait when the process is asked to stop; nothing was decided."""


class PatientModels:
    """Asks again until there is an answer or patience ends.

    Args:
        respondent: who answers.
        patience_s: how long a model may be away before it counts as silent.
        stop: set when the process is to end.
        while_waiting: called between tries, to keep a lease.
    """

    def __init__(
        self, respondent: Respondent, patience_s: float, stop: threading.Event, while_waiting: Callable[[], None]
    ) -> None:
        self._respondent = respondent
        self._patience_s = patience_s
        self._stop = stop
        self._while_waiting = while_waiting
        self._silent: set[str] = set()

    def infer(self, model: str, feeds: Mapping[str, Array]) -> Answer | None:
        """Answer one batch; None when the model stayed away. One that was silent before is asked once only.

        Raises:
            Stopped: if the process is asked to stop meanwhile.
        """
        deadline = time.monotonic() + (0 if model in self._silent else self._patience_s)
        pause_s = 0.0
        while True:
            try:
                answer = self._respondent.infer(model, feeds)
            except OverloadedError as exc:
                if time.monotonic() >= deadline:
                    logger.error("The model %s counts as silent: %s", model, exc)  # noqa: TRY400 - no traceback
                    self._silent.add(model)
                    return None
                if pause_s == 0:
                    logger.warning("Waiting for the model %s: %s", model, exc)
                pause_s = min(max(2 * pause_s, exc.retry_after_s), _LONGEST_PAUSE_S)
            else:
                self._silent.discard(model)
                return answer
            if self._stop.wait(pause_s):
                raise Stopped
            self._while_waiting()
