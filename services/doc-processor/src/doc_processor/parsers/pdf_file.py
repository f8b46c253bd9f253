"""What a PDF file says about itself: title, author and dates, attached files, and layers that may be hidden."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium

from doc_processor.parsers.base import ParseWarning, Properties
from doc_processor.parsers.parts import shown
from doc_processor.titles import title_of

_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:Z|([+-])(\d{2})'?(\d{2})?'?)?")
_LAYERS = re.compile(rb"/OCProperties\b")
_HIDDEN_LAYERS = re.compile(rb"/OFF\s*+\[\s*+\d")
_LANGUAGE = re.compile(rb"/Lang\s*+\(([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2})\)")
_MOST_NAMED = 20


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


def not_read(document: pdfium.PdfDocument, path: Path) -> tuple[ParseWarning, ...]:
    """Name attached files, which are not read, and layers, all of which are."""
    notes = []
    if count := document.count_attachments():
        names = ", ".join(filter(None, (_name(document, index) for index in range(min(count, _MOST_NAMED)))))
        notes.append(ParseWarning("attachment-not-read", f"{count} attached files were not read: {names}"))
    data = path.read_bytes()
    if _LAYERS.search(data):
        some = "some of which are hidden, " if _HIDDEN_LAYERS.search(data) else ""
        detail = f"the document has layers, {some}and the text of all of them was read"
        notes.append(ParseWarning("layers", detail))
    return tuple(notes)


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
