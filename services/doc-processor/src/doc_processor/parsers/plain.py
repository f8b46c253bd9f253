"""Plain text and Markdown: decoded and cleaned, else as they are."""

from __future__ import annotations

from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, ReadyPages, Upload
from doc_processor.refusals import Empty, TooManyPages
from doc_processor.text import decode, tidy


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Form feeds separate pages, as for printers and `pdftotext`."""
    text, warnings = read_text(upload.path.read_bytes())
    pages = [tidy(page) for page in text.split("\f")]
    while len(pages) > 1 and not pages[-1]:
        pages.pop()
    if not any(pages):
        raise Empty("the file holds no text")
    if len(pages) > limits.max_pages:
        raise TooManyPages(f"the file has {len(pages)} pages; at most {limits.max_pages} are read")
    return ReadyPages([ParsedPage(page, "plain-text") for page in pages], warnings)


def read_text(data: bytes) -> tuple[str, tuple[ParseWarning, ...]]:
    """Decode, and say what had to be guessed, replaced or removed."""
    decoded = decode(data)
    notes = []
    if decoded.guessed:
        notes.append(ParseWarning("encoding-guessed", f"the text is not UTF-8 and was read as {decoded.encoding}"))
    if decoded.replaced:
        notes.append(
            ParseWarning(
                "encoding-damaged", f"{decoded.replaced} characters could not be decoded as {decoded.encoding}"
            )
        )
    if nuls := decoded.text.count("\0"):
        notes.append(ParseWarning("control-characters", f"{nuls} NUL characters were removed"))
    return decoded.text, tuple(notes)
