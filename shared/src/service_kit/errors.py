"""Errors of the services that a caller may see."""

from __future__ import annotations

from typing import Any


class ServiceError(Exception):
    """An error that a caller may see; subclasses fix `status` and `type`, instances say what happened.

    `field` names the input at fault; `extra` adds members to the problem detail.
    """

    status, type = 500, "internal-error"

    def __init__(
        self, detail: str, *, field: str | None = None, retry_after: float | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        self.extra = extra


class InvalidInput(ServiceError):
    status, type = 422, "invalid-input"


class Unauthenticated(ServiceError):
    status, type = 401, "unauthenticated"


class Forbidden(ServiceError):
    status, type = 403, "forbidden"


class NotFound(ServiceError):
    status, type = 404, "not-found"


class RequestTimeout(ServiceError):
    status, type = 408, "request-timeout"


class Conflict(ServiceError):
    status, type = 409, "conflict"


class TooLarge(ServiceError):
    status, type = 413, "too-large"


class UnsupportedType(ServiceError):
    status, type = 415, "unsupported-type"


class TooManyRequests(ServiceError):
    status, type = 429, "too-many-requests"


class PolicyConflict(ServiceError):
    status, type = 409, "stale-policy"


class UpstreamUnavailable(ServiceError):
    status, type = 503, "upstream-unavailable"


class StorageUnavailable(ServiceError):
    status, type = 507, "storage-unavailable"


class Overloaded(ServiceError):
    """This process has no more of something that it will have again in a moment."""

    status, type = 503, "overloaded"
