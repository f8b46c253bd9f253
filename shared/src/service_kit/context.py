"""The request id that ties an answer to its log lines."""

from __future__ import annotations

from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")

request_id = _request_id.get
set_request_id = _request_id.set
