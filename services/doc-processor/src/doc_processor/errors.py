"""What callers are told when a document is not read; refusals become these, by kind."""

from __future__ import annotations

from doc_processor import refusals
from service_kit.errors import InvalidInput, ServiceError, TooLarge, UnsupportedType, UpstreamUnavailable


class EmptyFile(InvalidInput):
    type = refusals.Empty.kind


class PasswordRequired(InvalidInput):
    type = refusals.PasswordRequired.kind


class UnreadableDocument(InvalidInput):
    type = refusals.Unreadable.kind


class NoPages(InvalidInput):
    type = refusals.NoPages.kind


class HostileMarkup(InvalidInput):
    type = refusals.HostileMarkup.kind


class TooManyPages(TooLarge):
    type = refusals.TooManyPages.kind


class ImageTooLarge(TooLarge):
    type = refusals.ImageTooLarge.kind


class UnpacksTooLarge(TooLarge):
    type = refusals.UnpacksTooLarge.kind


class WorkersUnavailable(UpstreamUnavailable):
    type = "workers-unavailable"


class OcrNotReady(UpstreamUnavailable):
    type = refusals.OcrUnavailable.kind


class DocumentTimeout(ServiceError):
    status = 504
    type = "document-timeout"


_BY_KIND: dict[str, type[ServiceError]] = {
    error.type: error
    for error in (
        EmptyFile,
        PasswordRequired,
        UnreadableDocument,
        NoPages,
        HostileMarkup,
        TooManyPages,
        ImageTooLarge,
        UnpacksTooLarge,
        UnsupportedType,
        OcrNotReady,
    )
}


def refused(kind: str, detail: str) -> ServiceError:
    """Make the error of a refusal; an unknown kind is an unreadable document."""
    return _BY_KIND.get(kind, UnreadableDocument)(detail, field="file")
