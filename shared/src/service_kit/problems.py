"""The one place that turns errors into problem details (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from llm_providers import errors as provider
from llm_providers.faults import field_of, said, words_of
from service_kit.context import request_id, set_fault
from service_kit.errors import InvalidInput, Overloaded, ServiceError, StorageUnavailable
from service_kit.storage_faults import OUT_OF_FILES, storage_fails, storage_unavailable

log = structlog.get_logger(__name__)

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
    elif isinstance(error, OSError) and error.errno in OUT_OF_FILES:
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
    """Return the problem detail of an error of the framework; its standard phrases are replaced by a sentence."""
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
