"""Why a document is not read: the one table of reasons. Parsers raise them; they know no web framework."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """The document is at fault; the message is meant for the caller and holds none of its text.

    `kind` is the type of the problem that callers get, `status` its HTTP status code.
    """

    kind: ClassVar[str]
    status: ClassVar[int] = 422


class Empty(Refusal):
    kind = "empty-file"


class Unsupported(Refusal):
    kind, status = "unsupported-type", 415


class PasswordRequired(Refusal):
    kind = "password-required"


class Unreadable(Refusal):
    kind = "unreadable-document"


class NoPicture(Refusal):
    kind = "no-picture"


class NoPages(Refusal):
    kind = "no-pages"


class TooManyPages(Refusal):
    kind, status = "too-many-pages", 413


class ImageTooLarge(Refusal):
    kind, status = "image-too-large", 413


class UnpacksTooLarge(Refusal):
    kind, status = "unpacks-too-large", 413


class TooComplex(Refusal):
    kind, status = "too-complex", 413


class HostileMarkup(Refusal):
    kind = "hostile-markup"


class OcrUnavailable(Refusal):
    kind, status = "ocr-unavailable", 503


BY_KIND: dict[str, type[Refusal]] = {refusal.kind: refusal for refusal in Refusal.__subclasses__()}
