"""What both clients share: how to connect, what an answer's status means, and how long to be patient."""

from __future__ import annotations

import time
from typing import Any

import httpx
from pydantic import SecretStr

from contracts import (
    AccessError,
    ClientTls,
    DataError,
    FactoryError,
    OverloadedError,
    ServiceError,
    verification,
)
from serving.errors import DeadlineError

TIMEOUT_S = 30.0
DEADLINE_S = 120.0
ATTEMPTS = 6
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
FIRST_ERROR, FIRST_SERVER_ERROR = 400, 500
UNAUTHORISED, FORBIDDEN, TOO_MANY, UNAVAILABLE, TOO_LATE = 401, 403, 429, 503, 504
_SHOWN = 500


def connection_options(url: str, api_key: SecretStr | None, tls: ClientTls | None) -> dict[str, Any]:
    """Return what an httpx client is made of."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key.get_secret_value()}"}
    return {"base_url": url, "headers": headers, "verify": verification(tls)}


class Patience:
    """How long to go on asking.

    Args:
        deadline_s: seconds after which no answer is worth anything.
        timeout_s: longest time of one try.
    """

    def __init__(self, deadline_s: float, timeout_s: float) -> None:
        self._until = time.monotonic() + deadline_s
        self._timeout_s = timeout_s
        self._pause_s = FIRST_PAUSE_S
        self._left = ATTEMPTS

    def timeout_s(self) -> float:
        """Return how long the next try may take."""
        return max(0.001, min(self._timeout_s, self._until - time.monotonic()))

    def pause_s(self, error: OverloadedError) -> float:
        """Return how long to wait before the next try.

        Raises:
            OverloadedError: the one given, if there is no next try.
        """
        self._left -= 1
        pause_s = max(self._pause_s, error.retry_after_s)
        self._pause_s *= 2
        if not self._left or time.monotonic() + pause_s >= self._until:
            raise error
        return pause_s


def unreachable(url: str, exc: httpx.TransportError, *, repeatable: bool) -> FactoryError:
    """Return what a failed connection means: worth another try only where asking twice does no harm."""
    message = f"{url} does not answer ({type(exc).__name__}: {exc}). Start the platform with `cityforge serve`."
    if repeatable or isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
        return OverloadedError(message, retry_after_s=0.0)
    return ServiceError(message)


def error_of(answer: httpx.Response) -> FactoryError:
    """Return what an answer's status means."""
    said = answer.text[:_SHOWN]
    message = f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {said}"
    if answer.status_code in (UNAUTHORISED, FORBIDDEN):
        return AccessError(f"{message} Set CITYFORGE_API_KEY to a key whose role may do this.")
    if answer.status_code in (TOO_MANY, UNAVAILABLE):
        return OverloadedError(message, retry_after_s=_retry_after_s(answer))
    if answer.status_code == TOO_LATE:
        return DeadlineError(message)
    return ServiceError(message) if answer.status_code >= FIRST_SERVER_ERROR else DataError(message)


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return min(LONGEST_PAUSE_S, max(0.0, float(answer.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
