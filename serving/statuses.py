"""From errors to answers: the one place of this room that knows the status codes of HTTP and gRPC."""

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

from .errors import (
    AuthenticationError,
    ConflictError,
    DeadlineError,
    EncodingError,
    MalformedError,
    NotFoundError,
    TooLargeError,
)

_STATUSES: tuple[tuple[type[FactoryError], HTTPStatus, str], ...] = (
    # The first class that fits counts: children stand before their parents.
    (AuthenticationError, HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED"),
    (AccessError, HTTPStatus.FORBIDDEN, "PERMISSION_DENIED"),
    (NotFoundError, HTTPStatus.NOT_FOUND, "NOT_FOUND"),
    (UnknownSignError, HTTPStatus.NOT_FOUND, "NOT_FOUND"),
    (MalformedError, HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT"),
    (EncodingError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "INVALID_ARGUMENT"),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RESOURCE_EXHAUSTED"),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_ARGUMENT"),
    (TensorError, HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_ARGUMENT"),
    (KnowledgeError, HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_ARGUMENT"),
    (ConflictError, HTTPStatus.CONFLICT, "FAILED_PRECONDITION"),
    (PromotionError, HTTPStatus.CONFLICT, "FAILED_PRECONDITION"),
    (LeaseError, HTTPStatus.CONFLICT, "FAILED_PRECONDITION"),
    (SchemaError, HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL"),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    (ArtefactError, HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    (DeadlineError, HTTPStatus.GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED"),
    (ServiceError, HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE"),
)


def status_of(error: FactoryError) -> HTTPStatus:
    """Return the HTTP status that tells of an error; 500 for one that is nobody's mistake but ours."""
    return next((status for kind, status, _ in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def code_of(error: FactoryError) -> str:
    """Return the name of the gRPC code that tells of an error."""
    return next((code for kind, _, code in _STATUSES if isinstance(error, kind)), "INTERNAL")


def headers_of(error: FactoryError) -> dict[str, str]:
    """Return the headers that belong to an error's answer."""
    if isinstance(error, OverloadedError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, AuthenticationError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Connection": "close"} if isinstance(error, TooLargeError) else {}
