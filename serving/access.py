"""Who may ask: API keys, roles, and who stands behind a request.

Keys are compared by their sha256 in constant time and appear in no log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from contracts import AccessError

from .errors import AuthenticationError
from .settings import ApiKey, Role

_BEARER = b"bearer "

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: of the key.
        role: what it may do.
    """

    name: str
    role: Role


OPEN_PRINCIPAL = Principal("open-access", Role.ADMINISTRATOR)


class KeyRing:
    """All keys that may ask.

    Args:
        keys: the keys, by hash.
        open_access: whether a request without a key counts as an administrator's.
    """

    def __init__(self, keys: Iterable[ApiKey], *, open_access: bool = False) -> None:
        self._keys = [(bytes.fromhex(key.sha256), Principal(key.name, key.role)) for key in keys]
        self._open = open_access

    def identify(self, headers: Headers) -> Principal:
        """Return who stands behind a request.

        Args:
            headers: lower-case names and values, as ASGI and gRPC give them.

        Raises:
            AuthenticationError: if there is no key, or none that is known.
        """
        key = _presented_key(headers)
        if key is None:
            if self._open:
                return OPEN_PRINCIPAL
            message = "This needs an API key. Send it as 'Authorization: Bearer KEY'."
            raise AuthenticationError(message)
        digest = sha256(key).digest()
        found = None
        for known, principal in self._keys:
            if compare_digest(known, digest):  # no early exit: the time taken tells nothing
                found = principal
        if found is None:
            message = "The API key is not known here. Check it, or ask an administrator for one."
            raise AuthenticationError(message)
        return found

    def admit(self, headers: Headers, least: Role) -> Principal:
        """Return who asks, if their role suffices.

        Raises:
            AuthenticationError: if there is no key, or none that is known.
            AccessError: if the role may not do this.
        """
        principal = self.identify(headers)
        if principal.role.rank < least.rank:
            message = f"This needs the role {least.value!r}; the key {principal.name!r} has {principal.role.value!r}."
            raise AccessError(message)
        return principal


def _presented_key(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"x-api-key":
            return value.strip()
    return None
