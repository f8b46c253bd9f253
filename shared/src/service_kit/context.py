"""What is known of the request under way: its id, which ties an answer to its log lines, and what went wrong."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

_request_id: ContextVar[str] = ContextVar("request_id", default="")

request_id = _request_id.get
set_request_id = _request_id.set


@dataclass(slots=True)
class Fault:
    """The kind and status of the last problem that was described to the caller, be it in a stream that began with 200."""

    kind: str = ""
    status: int = 0


# Held by reference: what is set further down, in a task of its own, is seen by whoever began the request.
_fault: ContextVar[Fault | None] = ContextVar("fault", default=None)


def watch_fault() -> Fault:
    """Begin to remember what goes wrong with this request."""
    fault = Fault()
    _fault.set(fault)
    return fault


def set_fault(kind: str, status: int) -> None:
    if (fault := _fault.get()) is not None:
        fault.kind, fault.status = kind, status
