"""A client of the platform's public HTTP endpoints: what replay, demo and doctor speak through.

It does what any application could do and nothing else: no file or store of the platform is touched.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from contracts import AccessError, Answer, DataError, Episode, Incident, OverloadedError, Reading, ServiceError

TIMEOUT_S = 30.0
UNAUTHORISED, FORBIDDEN, UNPROCESSABLE, TOO_MANY, UNAVAILABLE = 401, 403, 422, 429, 503
FIRST_SERVER_ERROR = 500
FIRST_ERROR = 400
ATTEMPTS = 6
FIRST_PAUSE_S = 0.2


class PlatformClient:
    """Talks to one platform.

    Args:
        url: address of its serving process.
        api_key: presented with every request; None for a platform that answers without.
        timeout_s: of one request.
    """

    def __init__(self, url: str, api_key: SecretStr | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key.get_secret_value()}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

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

    def _is_well(self, path: str) -> bool:
        try:
            return self._http.get(path, timeout=2.0).is_success
        except httpx.TransportError:
            return False

    def post_readings(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Post readings; once this returns they survive a crash. Posting the same again changes nothing.

        Returns:
            ``accepted``, ``duplicates``, ``revisions``, ``last_sequence``, and ``refused``, each with its reason.
        """
        body = {"readings": [reading.model_dump(mode="json") for reading in readings]}
        return self._ask("POST", "/readings", json=body, reports=UNPROCESSABLE)

    def post_tick(self, time: datetime) -> dict[str, Any]:
        """Tell the platform that event time has come this far."""
        return self._ask("POST", "/ticks", json={"time": time.isoformat()})

    def status(self) -> dict[str, Any]:
        """Return the state of inbox, runtime and models."""
        return self._ask("GET", "/status")

    def forecast(self, sign: str, *, at: datetime | None = None, raw: bool = False) -> dict[str, Any]:
        """Return the forecast of a sign issued at an event time, by default the newest.

        Args:
            sign: id of the sign.
            at: event time at which it is issued; only readings known by then are used.
            raw: as the model gave it, not calibrated.
        """
        parameters: dict[str, str] = {"sign": sign, "raw": str(raw).lower()}
        if at is not None:
            parameters["at"] = at.isoformat()
        return self._ask("GET", "/forecast", params=parameters)

    def readings(self, sign: str, since: datetime, until: datetime) -> dict[str, Any]:
        """Return the readings of a sign in a span of event time."""
        parameters = {"sign": sign, "since": since.isoformat(), "until": until.isoformat()}
        return self._ask("GET", "/readings", params=parameters)

    def warnings(self, **filters: str | int) -> list[Episode]:
        """Return episodes, newest first; filters as the endpoint takes them (place, level, since, until, limit)."""
        found = self._ask("GET", "/warnings", params=filters)
        return [Episode.model_validate(item) for item in found["warnings"]]

    def warning(self, episode: str) -> dict[str, Any]:
        """Return one episode with its explanation."""
        return self._ask("GET", f"/warnings/{episode}")

    def give_verdict(self, episode: str, answer: Answer, note: str = "") -> dict[str, Any]:
        """Tell what an operator found."""
        return self._ask("POST", f"/warnings/{episode}/verdict", json={"answer": answer.value, "note": note})

    def incidents(self, **filters: str | int) -> list[Incident]:
        """Return incidents, newest first."""
        found = self._ask("GET", "/incidents", params=filters)
        return [Incident.model_validate(item) for item in found["incidents"]]

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Send a request that is safe to repeat, and repeat it while the platform is being restarted or is busy."""
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._send(method, path, **arguments)
            except OverloadedError as exc:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(max(pause_s, exc.retry_after_s))
                pause_s *= 2
        raise AssertionError

    def _send(self, method: str, path: str, *, reports: int | None = None, **arguments: Any) -> dict[str, Any]:
        """Send once; ``reports`` is a status whose body is an answer like any other."""
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.TransportError as exc:
            message = f"{self.url} does not answer ({type(exc).__name__}). Start the platform with `cityforge serve`."
            raise OverloadedError(message, retry_after_s=0.0) from exc
        if answer.status_code >= FIRST_ERROR and not _is_report(answer, reports):
            raise _error_of(answer)
        result: dict[str, Any] = answer.json()
        return result


def _is_report(answer: httpx.Response, status: int | None) -> bool:
    return answer.status_code == status and "refused" in answer.json()


def _error_of(answer: httpx.Response) -> Exception:
    said = answer.text[:500]
    message = f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {said}"
    if answer.status_code in (UNAUTHORISED, FORBIDDEN):
        return AccessError(f"{message} Set CITYFORGE_API_KEY to a key whose role may do this.")
    if answer.status_code in (TOO_MANY, UNAVAILABLE):
        return OverloadedError(message, retry_after_s=_retry_after_s(answer))
    return ServiceError(message) if answer.status_code >= FIRST_SERVER_ERROR else DataError(message)


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return min(30.0, max(0.0, float(answer.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
