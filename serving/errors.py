"""Errors of this room, under the shared tree: what went wrong, in words that know no protocol."""

from __future__ import annotations

from contracts import AccessError, DataError, FactoryError, ServiceError


class AuthenticationError(AccessError):
    """No key, or one that is not known."""


class NotFoundError(DataError):
    """What the request names does not exist."""


class MalformedError(DataError):
    """A request that cannot be read at all."""


class EncodingError(DataError):
    """A request body packed in a way that is not taken."""


class TooLargeError(DataError):
    """A request body longer than allowed."""


class ConflictError(FactoryError):
    """A request that the present state forbids."""


class ClientGoneError(FactoryError):
    """The caller has left: nobody waits for an answer."""


class DeadlineError(ServiceError):
    """The request's deadline passed before it was answered."""


class ModelUnavailableError(ServiceError):
    """The model is known but not ready to answer."""
