"""Errors in OpenAI's form, https://platform.openai.com/docs/guides/error-codes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

_CODES = {"unauthenticated": "invalid_api_key", "too-many-requests": "rate_limit_exceeded"}


def openai_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem detail as the format's error: message, type, param and code."""
    status, kind, field = problem["status"], problem["type"].rsplit(":", 1)[-1], problem.get("field")
    # The format's name of a collection.
    param = "model" if field == "collection" else field
    code = _CODES.get(kind, kind.replace("-", "_"))
    if status == HTTPStatus.NOT_FOUND and param == "model":
        code = "model_not_found"
    return {"message": problem["detail"], "type": _type(status), "param": param, "code": code}


def _type(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
