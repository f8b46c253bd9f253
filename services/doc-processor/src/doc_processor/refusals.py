"""Why a document is not read; raised by parsers, which know no web framework."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """The document is at fault; the message is meant for the caller and holds none of its text."""

    kind: ClassVar[str] = "unreadable-document"


class Empty(Refusal):
    kind = "empty-file"


class Unsupported(Refusal):
    kind = "unsupported-type"


class PasswordRequired(Refusal):
    kind = "password-required"


class Unreadable(Refusal):
    kind = "unreadable-document"


class NoPages(Refusal):
    kind = "no-pages"


class TooManyPages(Refusal):
    kind = "too-many-pages"


class ImageTooLarge(Refusal):
    kind = "image-too-large"


class UnpacksTooLarge(Refusal):
    kind = "unpacks-too-large"


class HostileMarkup(Refusal):
    kind = "hostile-markup"


class OcrUnavailable(Refusal):
    kind = "ocr-unavailable"
