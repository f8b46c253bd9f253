"""Errors of the services, and the one place that turns errors into problem details (RFC 9457)."""

from __future__ import annotations

import errno
import math
import os
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from llm_providers import errors as provider
from llm_providers.faults import field_of, said, words_of
from service_kit.context import request_id, set_fault

log = structlog.get_logger(__name__)


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


_STORAGE_ERRNO = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE)
_STORAGE_SQLITE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_BUSY_SQLITE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR_BLOCKED,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_NOMEM,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
)
"""Codes, of them some extended ones that look like an I/O error, of a database that others use at this moment."""


def sqlite_code(error: BaseException) -> int | None:
    """Return the primary result code of an SQLite error (https://www.sqlite.org/rescode.html), None for any other."""
    code = _sqlite_extended(error)
    return code & 0xFF if code is not None else None


def _sqlite_extended(error: BaseException) -> int | None:
    code = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlite_errorcode", None)
    return code if isinstance(code, int) else None


def sqlite_busy(error: BaseException) -> bool:
    """Whether SQLite could do it in a moment: another connection has the lock, or memory or open files are used up."""
    if sqlite_code(error) == sqlite3.SQLITE_CANTOPEN:
        return _no_file_can_be_opened()
    return sqlite_code(error) in _BUSY_SQLITE or _sqlite_extended(error) in _BUSY_SQLITE


def _no_file_can_be_opened() -> bool:
    # SQLite does not tell why it could not open a file.
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _OUT_OF_FILES
    return False


def storage_fails(error: BaseException) -> bool:
    """Whether the disk is full, read-only, broken or gone; other errors of files, sockets and SQL are not the disk's."""
    if isinstance(error, OSError):
        return error.errno in _STORAGE_ERRNO
    return sqlite_code(error) in _STORAGE_SQLITE and not sqlite_busy(error)


def storage_unavailable() -> StorageUnavailable:
    return StorageUnavailable(
        "The data folder cannot be written: the disk is full, read-only or gone. Nothing of this request was kept; "
        "free some space or make the volume writable, then send the request again."
    )


_PROVIDER_PROBLEMS: tuple[tuple[type[provider.ProviderError], int, str], ...] = (
    (provider.ContextLengthExceeded, 413, "context-length-exceeded"),
    (provider.ModelNotFound, 503, "model-not-found"),
    (provider.AuthenticationFailed, 503, "provider-authentication-failed"),
    (provider.RequestRejected, 422, "rejected-by-model-server"),
    (provider.DeadlineExceeded, 504, "deadline-exceeded"),
    (provider.SpaceMismatch, 409, "embedding-space-mismatch"),
    (provider.NotConfigured, 503, "provider-not-configured"),
    (provider.Halted, 503, "halted"),
    (provider.ModelLoading, 503, "model-loading"),
    (provider.Unavailable, 503, "provider-unavailable"),
    (provider.ProviderError, 502, "provider-error"),
)
_DEFAULT_RETRY_AFTER = 5.0
FAILURES = (
    "internal-error",
    "upstream-unavailable",
    "storage-unavailable",
    "overloaded",
    *(kind for _, status, kind in _PROVIDER_PROBLEMS if status >= HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The types of problems that are not the caller's fault; parts of a service add their own."""


def problem(error: Exception) -> dict[str, Any]:
    """Describe any error as problem-detail members; the text of an unexpected error is not shown."""
    if storage_fails(error):
        error = storage_unavailable()
    elif isinstance(error, OSError) and error.errno in _OUT_OF_FILES:
        error = Overloaded("too many files and connections are open; send the request again in a moment", retry_after=2)
    if isinstance(error, ServiceError):
        members = {"type": error.type, "status": error.status, "detail": error.detail, **error.extra}
        if error.field is not None:
            members["field"] = error.field
        if error.retry_after is not None:
            members["retry_after"] = error.retry_after
    elif isinstance(error, provider.ProviderError):
        status, kind = next((s, k) for cls, s, k in _PROVIDER_PROBLEMS if isinstance(error, cls))
        members = {"type": kind, "status": status, "detail": str(error)}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            members["retry_after"] = error.retry_after or _DEFAULT_RETRY_AFTER
    else:
        members = {
            "type": "internal-error",
            "status": 500,
            "detail": "An unexpected error; the logs of the service have the details.",
        }
    set_fault(str(members["type"]), int(members["status"]))
    members["title"] = str(members["type"]).replace("-", " ").capitalize()
    members["type"] = f"urn:switchyard:problem:{members['type']}"
    members["request_id"] = request_id()
    return members


def response(members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    # The middleware sets the id too, but an error in what is around it is answered without it.
    all_headers = {"X-Request-ID": members["request_id"], **(headers or {})}
    if "retry_after" in members:
        all_headers["Retry-After"] = str(max(1, math.ceil(members["retry_after"])))
    if members["status"] == HTTPStatus.UNAUTHORIZED:
        all_headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        dict(members), status_code=members["status"], headers=all_headers, media_type="application/problem+json"
    )


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    return answer_to(error)


def answer_to(error: Exception) -> JSONResponse:
    """Return the problem detail of any error, and log it where it is not the caller's."""
    members = problem(error)
    if members["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
        expected = isinstance(error, ServiceError | provider.ProviderError) and not isinstance(
            error, StorageUnavailable
        )
        # A halt by the operator is no fault of the service.
        report = log.info if isinstance(error, provider.Halted) else log.error
        report("request failed", error=type(error).__name__, exc_info=None if expected else error)
    return response(members)


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Return the problem detail of an error of the framework, whose phrases say no more than the status."""
    assert isinstance(error, HTTPException)
    kinds = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 400: "bad-request"}
    plain = {404: "there is nothing at this path", 405: f"this path does not take {request.method}"}
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:
        detail = plain.get(error.status_code, detail)
    service_error = ServiceError(detail)
    service_error.status, service_error.type = error.status_code, kinds.get(error.status_code, "http-error")
    return response(problem(service_error), error.headers)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    faults = [{"field": field_of(item), "message": words_of(item)} for item in found]
    detail = "; ".join(said(field_of(item), item) for item in found[:5])
    return response(problem(InvalidInput(detail, field=faults[0]["field"] if faults else None, errors=faults[:20])))


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem detail."""
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, on_http_exception)
    for kind in (ServiceError, provider.ProviderError, OSError, Exception):
        app.add_exception_handler(kind, _on_error)
