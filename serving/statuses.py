"""From errors to answers: the one place of this room that knows status codes."""

from __future__ import annotations

import math
from http import HTTPStatus

from contracts import (
    AccessError,
    ArtefactError,
    DataError,
    FactoryError,
    KnowledgeError,
    LeaseError,
    OverloadedError,
    PromotionError,
    SchemaError,
    ServiceError,
    StoreError,
    TensorError,
    UnknownSignError,
)

from .errors import AuthenticationError, ConflictError, DeadlineError, MalformedError, NotFoundError, TooLargeError

_STATUSES: tuple[tuple[type[FactoryError], HTTPStatus], ...] = (
    # The first class that fits counts: children stand before their parents.
    (AuthenticationError, HTTPStatus.UNAUTHORIZED),
    (AccessError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UnknownSignError, HTTPStatus.NOT_FOUND),
    (MalformedError, HTTPStatus.BAD_REQUEST),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TensorError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KnowledgeError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ConflictError, HTTPStatus.CONFLICT),
    (PromotionError, HTTPStatus.CONFLICT),
    (LeaseError, HTTPStatus.CONFLICT),
    (SchemaError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ArtefactError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DeadlineError, HTTPStatus.GATEWAY_TIMEOUT),
    (ServiceError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: FactoryError) -> HTTPStatus:
    """Return the HTTP status that tells of an error; 500 for one that is nobody's mistake but ours."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def headers_of(error: FactoryError) -> dict[str, str]:
    """Return the headers that belong to an error's answer."""
    if isinstance(error, OverloadedError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, AuthenticationError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Connection": "close"} if isinstance(error, TooLargeError) else {}
