"""The client that blocks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import SecretStr

from contracts import (
    Answer,
    Array,
    ClientTls,
    Episode,
    FactoryError,
    Forecast,
    Incident,
    OverloadedError,
    Reading,
    Verdict,
)

from . import questions
from .connection import DEADLINE_S, TIMEOUT_S, Patience, connection_options, unreachable
from .questions import Filters, Inference, IngestResult, Question

_Found = TypeVar("_Found")


class PlatformClient:
    """Talks to one platform. Use it in a ``with`` block.

    Every method raises a ``FactoryError``: ``AccessError`` for a key that may not, ``DataError`` for a question that
    is wrong, ``DeadlineError`` for an answer that came too late, ``OverloadedError`` where patience ended.

    Args:
        url: address of its serving process.
        api_key: presented with every request; None for a platform that answers without.
        timeout_s: of one try.
        deadline_s: of one question with all its tries: a platform that is busy or restarting is asked again.
        tls: whom to trust and who to be; None trusts the authorities of this machine.
    """

    def __init__(
        self,
        url: str,
        api_key: SecretStr | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        tls: ClientTls | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout_s, self._deadline_s = timeout_s, deadline_s
        self._http = httpx.Client(**connection_options(self.url, api_key, tls))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def is_alive(self) -> bool:
        """Return whether serving answers, whatever the state of its models."""
        return self._is_well("/livez")

    def is_ready(self) -> bool:
        """Return whether serving answers and every model does."""
        return self._is_well("/readyz")

    def post_readings(self, readings: Sequence[Reading]) -> IngestResult:
        """Post readings; once this returns they survive a crash. Posting the same again changes nothing."""
        return self._ask(questions.post_readings(readings))

    def post_tick(self, time: datetime) -> int:
        """Tell the platform that event time has come this far; return the tick's position in the inbox."""
        return self._ask(questions.post_tick(time))

    def status(self) -> dict[str, Any]:
        """Return the state of inbox, runtime and models."""
        return self._ask(questions.status())

    def forecast(self, sign: str, *, at: datetime | None = None, raw: bool = False) -> Forecast:
        """Return the forecast of a sign issued at an event time, by default the newest.

        Args:
            sign: id of the sign.
            at: event time at which it is issued; only readings known by then are used.
            raw: as the model gave it, not calibrated.
        """
        return self._ask(questions.forecast(sign, at, raw=raw))

    def forecasts(self, signs: Sequence[str], *, at: datetime | None = None, raw: bool = False) -> list[Forecast]:
        """Return the forecasts of many signs in one request; see :meth:`forecast`."""
        return self._ask(questions.forecasts(signs, at, raw=raw))

    def readings(self, sign: str, since: datetime | None = None, until: datetime | None = None) -> list[Reading]:
        """Return the readings of a sign in a span of event time, by default the last seven days."""
        return self._ask(questions.readings(sign, since, until))

    def warnings(self, **filters: Filters) -> list[Episode]:
        """Return episodes, newest first; filters as the endpoint takes them (place, level, since, until, limit)."""
        return self._ask(questions.warnings(filters))

    def warning(self, episode: str) -> Episode:
        """Return one episode with its explanation."""
        return self._ask(questions.warning(episode))

    def verdicts(self, episode: str) -> list[Verdict]:
        """Return what operators said of an episode."""
        return self._ask(questions.verdicts(episode))

    def give_verdict(self, episode: str, answer: Answer, note: str = "") -> Verdict:
        """Tell what an operator found."""
        return self._ask(questions.give_verdict(episode, answer, note))

    def incidents(self, **filters: Filters) -> list[Incident]:
        """Return incidents, newest first."""
        return self._ask(questions.incidents(filters))

    def infer(
        self,
        model: str,
        feeds: Mapping[str, Array],
        *,
        version: int | None = None,
        outputs: Sequence[str] = (),
        priority: str = "interactive",
    ) -> Inference:
        """Ask a model, in raw units, not calibrated.

        Args:
            model: its name.
            feeds: name → array for every input.
            version: one that is open; None for the champion.
            outputs: those that are wanted; all by default.
            priority: alarm, interactive or bulk.
        """
        asked = {"version": version, "outputs": outputs, "priority": priority, "deadline_s": self._timeout_s}
        return self._ask(questions.infer(model, feeds, **asked))  # type: ignore[arg-type] # types as declared above

    def _is_well(self, path: str) -> bool:
        try:
            return self._http.get(path, timeout=2.0).is_success
        except httpx.TransportError:
            return False

    def _ask(self, question: Question[_Found]) -> _Found:
        patience = Patience(self._deadline_s, self._timeout_s)
        while True:
            try:
                return question.answer(self._send(question, patience.timeout_s()))
            except OverloadedError as exc:
                pause_s = patience.pause_s(exc)
            time.sleep(pause_s)

    def _send(self, question: Question[_Found], timeout_s: float) -> httpx.Response:
        try:
            return self._http.request(
                question.method,
                question.path,
                params=question.params,
                content=question.content,
                headers=question.headers,
                timeout=timeout_s,
            )
        except httpx.TransportError as exc:
            error: FactoryError = unreachable(self.url, exc, repeatable=question.repeatable)
            raise error from exc
