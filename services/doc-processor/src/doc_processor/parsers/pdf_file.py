"""What a PDF file says about itself: title, author and dates, attached files, and layers that may be hidden."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from doc_processor.parsers.base import ParseWarning, Properties
from doc_processor.parsers.parts import shown
from doc_processor.titles import title_of

_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:Z|([+-])(\d{2})'?(\d{2})?'?)?")
_LAYERS = re.compile(rb"/OCProperties\b")
_HIDDEN_LAYERS = re.compile(rb"/OFF\s*+\[\s*+\d")
_LANGUAGE = re.compile(rb"/Lang\s*+\(([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2})\)")
_MOST_ATTACHED = 100


def properties(document: pdfium.PdfDocument, path: Path, heading: str, first_page: str) -> Properties:
    """Return what the file says; its title only if that stands on the first page, or no heading does."""
    try:
        said = document.get_metadata_dict()
    except (pdfium.PdfiumError, UnicodeError):
        return Properties()
    language = _LANGUAGE.search(path.read_bytes())
    return Properties(
        title=_title(said.get("Title", ""), heading, first_page),
        author=shown(said.get("Author", "")),
        created=_iso(said.get("CreationDate", "")),
        modified=_iso(said.get("ModDate", "")),
        language=language[1].decode() if language else "",
    )


def _title(said: str, heading: str, first_page: str) -> str:
    on_page = "".join(said.split()).casefold() in "".join(first_page.split()).casefold()
    return title_of([], *((said, heading) if on_page else (heading, said)))


def layers(path: Path) -> tuple[ParseWarning, ...]:
    """Name layers, all of which are read."""
    data = path.read_bytes()
    if not _LAYERS.search(data):
        return ()
    some = "some of which are hidden, " if _HIDDEN_LAYERS.search(data) else ""
    return (ParseWarning("layers", f"the document has layers, {some}and the text of all of them was read"),)


def attachments(document: pdfium.PdfDocument, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names of attached files with what they hold, as long as that is not more than `most_bytes` together; else nothing."""
    for index in range(min(document.count_attachments(), _MOST_ATTACHED)):
        attached = document.get_attachment(index)
        size = ctypes.c_ulong()
        known = pdfium_c.FPDFAttachment_GetFile(attached, None, 0, size)
        most_bytes -= size.value
        try:
            data = bytes(attached.get_data()) if known and most_bytes >= 0 else b""
        except pdfium.PdfiumError:
            data = b""
        yield _name(document, index), data


def _name(document: Any, index: int) -> str:
    try:
        return shown(document.get_attachment(index).get_name())
    except (pdfium.PdfiumError, UnicodeError):
        return ""


def _iso(written: str) -> str:
    """Return a date of PDF (ISO 32000-1, 7.9.4) in ISO 8601; "" if it is none."""
    match = _DATE.match(written)
    if match is None:
        return ""
    year, month, day, hour, minute, second = (
        int(part or default) for part, default in zip(match.groups()[:6], (0, 1, 1, 0, 0, 0), strict=True)
    )
    try:
        zone = None
        if match[7]:
            away = timedelta(hours=int(match[8]), minutes=int(match[9] or 0))
            zone = timezone(-away if match[7] == "-" else away)
        elif "Z" in match[0]:
            zone = UTC
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).isoformat()
    except ValueError:
        return ""
