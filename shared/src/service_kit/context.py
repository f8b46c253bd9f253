"""The context of the current request: its id, which is in the response and in its log lines, and its last fault."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

_request_id: ContextVar[str] = ContextVar("request_id", default="")

request_id = _request_id.get
set_request_id = _request_id.set


@dataclass(slots=True)
class ProblemRecord:
    """Kind and status of the last problem that the caller got, also in a stream that began with 200."""

    kind: str = ""
    status: int = 0


# A reference: what is set in another task of the request is seen by the middleware that began it.
_fault: ContextVar[ProblemRecord | None] = ContextVar("fault", default=None)


def watch_fault() -> ProblemRecord:
    """Return a new record of the faults of this request."""
    fault = ProblemRecord()
    _fault.set(fault)
    return fault


def fault() -> ProblemRecord | None:
    """Return the record of this request, None outside of one."""
    return _fault.get()


def set_fault(kind: str, status: int) -> None:
    if (record := _fault.get()) is not None:
        record.kind, record.status = kind, status
