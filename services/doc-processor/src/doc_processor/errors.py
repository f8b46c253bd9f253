"""Errors of the doc-processor that callers get as problem details."""

from __future__ import annotations

from doc_processor.refusals import BY_KIND, Unreadable
from service_kit.errors import ServiceError, UpstreamUnavailable


class DocumentRefused(ServiceError):
    """A document is not read, for the reason that a refusal of this kind gives; an unknown kind means unreadable."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail, field="file")
        refusal = BY_KIND.get(kind, Unreadable)
        self.type, self.status = refusal.kind, refusal.status


class WorkersUnavailable(UpstreamUnavailable):
    """No worker could be started: something is wrong with this machine, not with the document."""

    type = "workers-unavailable"


class DocumentTimeout(ServiceError):
    status = 504
    type = "document-timeout"
