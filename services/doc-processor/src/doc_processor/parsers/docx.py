"""Word documents to Markdown, in pages where Word left page breaks."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from docx import Document
from docx.opc.exceptions import OpcError
from lxml.etree import XMLSyntaxError

from doc_processor import containers, markdown
from doc_processor.hidden import HiddenText
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, ReadyPages, Upload
from doc_processor.parsers.docx_hidden import RunLooks
from doc_processor.parsers.docx_styles import Styles
from doc_processor.parsers.docx_text import Run, paragraph_runs, qualified
from doc_processor.refusals import Empty, TooManyPages, Unreadable
from doc_processor.text import tidy

_DAMAGE = (
    OpcError, XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError, IndexError, OSError,
)  # fmt: skip
_MAX_DEPTH = 50
_MAX_BLOCKS = 200_000
_P, _TBL, _TR, _TC = (qualified(tag) for tag in ("p", "tbl", "tr", "tc"))
_FOOTNOTE, _ENDNOTE = qualified("footnote"), qualified("endnote")
_WRAPPERS = {qualified(tag) for tag in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
_DRAWN = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", "{urn:schemas-microsoft-com:vml}imagedata")


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Unreadable` for a damaged file and `Empty` for one without text."""
    containers.check(upload.path, limits)
    try:
        pages, notes = _read(upload.path, limits)
    except _DAMAGE as error:
        raise Unreadable("the file is not a readable DOCX document") from error
    except RecursionError as error:
        raise Unreadable("the document is nested too deeply") from error
    if not any(pages):
        raise Empty("the document holds no text")
    if len(pages) > limits.max_pages:
        raise TooManyPages(f"the document has {len(pages)} pages; at most {limits.max_pages} are read")
    return ReadyPages([ParsedPage(page, "docx") for page in pages], notes)


def _read(path: Path, limits: ParseLimits) -> tuple[list[str], tuple[ParseWarning, ...]]:
    document = Document(str(path))
    hidden = HiddenText.of(limits)
    writer = _PageBuilder(
        Styles(document), RunLooks({style.style_id: style.element for style in document.styles}, hidden)
    )
    body = document.element.body
    writer.blocks(body)
    for part in document.part.package.iter_parts():
        if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
            writer.notes(part.blob)
    pictures = sum(1 for tag in _DRAWN for _ in body.iter(tag))
    notes = []
    if pictures:
        notes.append(ParseWarning("pictures-not-read", f"{pictures} pictures in the document were not read"))
    if writer.left_out:
        detail = f"more than {_MAX_BLOCKS} paragraphs, or nested more than {_MAX_DEPTH} deep: the rest was left out"
        notes.append(ParseWarning("document-cut", detail))
    return writer.pages(), (*notes, *hidden.warnings)


class _PageBuilder:
    """Collects blocks by page; a block belongs to the page on which it begins."""

    def __init__(self, styles: Styles, looks: RunLooks) -> None:
        self._styles = styles
        self._looks = looks
        self._pages: list[list[str]] = [[]]
        self._blocks = 0
        self.left_out = 0

    def pages(self) -> list[str]:
        texts = [tidy("\n".join(blocks)) for blocks in self._pages]
        while len(texts) > 1 and not texts[-1]:
            texts.pop()
        return texts

    def blocks(self, parent: Any, depth: int = 0) -> None:
        """Write what a body or a content control holds, in order."""
        if depth > _MAX_DEPTH:
            self.left_out += 1
            return
        for child in parent:
            self._blocks += 1
            if self._blocks > _MAX_BLOCKS:
                self.left_out += 1
                return
            if child.tag == _P:
                self._paragraph(child)
            elif child.tag == _TBL:
                self._table(child, depth)
            elif child.tag in _WRAPPERS:
                self.blocks(child, depth + 1)

    def notes(self, blob: bytes) -> None:
        """Write footnotes or endnotes as paragraphs at the end."""
        from docx.oxml.parser import parse_xml

        for note in parse_xml(blob):
            if note.tag in (_FOOTNOTE, _ENDNOTE) and note.get(qualified("type")) is None:
                self.blocks(note)

    def _paragraph(self, element: Any) -> None:
        before, runs, boxes = paragraph_runs(element, self._looks)
        self._break(before)
        text = "".join(run.text for run in runs).strip()
        if text:
            self._pages[-1].append(self._styled(element, text))
        for box in boxes:
            self.blocks(box)
        self._break(sum(run.breaks for run in runs))

    def _break(self, count: int) -> None:
        # Word marks the same break twice, as asked for and as rendered: an empty page means the second of the two.
        if count and any(self._pages[-1]):
            self._pages.extend([] for _ in range(count))

    def _styled(self, element: Any, text: str) -> str:
        level = self._styles.heading_level(element)
        if level:
            return f"\n{markdown.heading(text, level)}\n"
        listed = self._styles.list_item(element)
        if listed is not None:
            return markdown.item(text, listed.depth, number=listed.number)
        return f"\n{markdown.paragraph(text)}\n"

    def _table(self, element: Any, depth: int) -> None:
        rows: list[list[str]] = []
        breaks = 0
        for row in _children(element, _TR):
            cells = []
            for cell in _children(row, _TC):
                runs: list[Run] = []
                for paragraph in cell.iter(_P):
                    runs += [*paragraph_runs(paragraph, self._looks)[1], Run(" ")]
                breaks += sum(run.breaks for run in runs)
                cells.append("".join(run.text for run in runs))
                cells += [""] * (_span(cell) - 1)
            rows.append(cells)
        if len(rows) == 1 and len(rows[0]) == 1:
            # A box around text, not a table.
            self.blocks(_children(_children(element, _TR)[0], _TC)[0], depth + 1)
            return
        if any(text.strip() for row in rows for text in row):
            self._pages[-1].append(f"\n{markdown.table(rows)}\n")
        self._break(breaks)


def _children(element: Any, tag: str) -> list[Any]:
    """List the children of a kind, also those inside content controls."""
    children: list[Any] = []
    for child in element:
        if child.tag == tag:
            children.append(child)
        elif child.tag in _WRAPPERS:
            children += _children(child, tag)
    return children


def _span(cell: Any) -> int:
    value = cell.find(f"{qualified('tcPr')}/{qualified('gridSpan')}")
    try:
        return max(1, min(64, int(value.get(qualified("val"))))) if value is not None else 1
    except (TypeError, ValueError):
        return 1
