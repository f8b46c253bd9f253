"""Word documents to Markdown, in pages where Word left page breaks."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from docx import Document
from docx.opc.exceptions import OpcError
from lxml.etree import XMLSyntaxError

from doc_processor import containers, markdown
from doc_processor.drawings import drawn
from doc_processor.figures import MOST_PICTURES, is_worth_describing
from doc_processor.grids import Grid, Span
from doc_processor.hidden import HiddenText
from doc_processor.parsers import docx_around
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.parsers.docx_hidden import RunLooks
from doc_processor.parsers.docx_styles import Styles
from doc_processor.parsers.docx_text import Run, paragraph_runs, qualified
from doc_processor.refusals import Empty, TooManyPages, Unreadable
from doc_processor.text import tidy
from doc_processor.titles import is_page_number, title_of

_DAMAGE = (
    OpcError, XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError, IndexError, OSError,
)  # fmt: skip
_MAX_DEPTH = 50
_MAX_BLOCKS = 200_000
_P, _TBL, _TR, _TC = (qualified(tag) for tag in ("p", "tbl", "tr", "tc"))
_FOOTNOTE, _ENDNOTE = qualified("footnote"), qualified("endnote")
_WRAPPERS = {qualified(tag) for tag in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag")}
_DRAWN = ("{http://schemas.openxmlformats.org/drawingml/2006/main}blip", "{urn:schemas-microsoft-com:vml}imagedata")

_REFERENCES = tuple(
    f"{{http://schemas.openxmlformats.org/officeDocument/2006/relationships}}{name}" for name in ("embed", "id")
)


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Unreadable` for a damaged file and `Empty` for one without text."""
    containers.check(upload.path, limits)
    try:
        pages, notes, properties, pictures = _read(upload.path, limits)
    except _DAMAGE as error:
        raise Unreadable("the file is not a readable DOCX document") from error
    except RecursionError as error:
        raise Unreadable("the document is nested too deeply") from error
    if not any(pages):
        raise Empty("the document holds no text")
    if len(pages) > limits.max_pages:
        raise TooManyPages(f"the document has {len(pages)} pages; at most {limits.max_pages} are read")
    read = [ParsedPage(page, "docx", figures=len(pictures.get(number, ()))) for number, page in enumerate(pages, 1)]
    return ReadyPages(read, notes, properties, pictures)


def _read(
    path: Path, limits: ParseLimits
) -> tuple[list[str], tuple[ParseWarning, ...], Properties, dict[int, list[bytes]]]:
    document = Document(str(path))
    hidden = HiddenText.of(limits)
    looks = RunLooks({style.style_id: style.element for style in document.styles}, hidden)
    writer = _PageBuilder(Styles(document), looks, docx_around.comments(document), document.part.rels)
    body = document.element.body
    repeated = list(docx_around.repeated(document))
    for kind, element in repeated:
        if kind == "Header":
            writer.line(kind, element)
    writer.blocks(body)
    for part in document.part.package.iter_parts():
        if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
            writer.notes(part.blob)
    writer.comments_left()
    for kind, element in repeated:
        if kind == "Footer":
            writer.line(kind, element)
    notes = [*docx_around.not_read(body)]
    described = _figures(writer.pictures, document.part.rels, limits) if limits.figures else {}
    drawn_ = sum(1 for tag in _DRAWN for _ in body.iter(tag)) if not limits.figures else len(writer.pictures)
    if pictures := drawn_ - sum(map(len, described.values())):
        notes.append(ParseWarning("pictures-not-read", f"{pictures} pictures in the document were not read"))
    if writer.undrawn:
        notes.append(ParseWarning("charts-not-read", f"{writer.undrawn} charts or diagrams were not read"))
    if writer.left_out:
        detail = f"more than {_MAX_BLOCKS} paragraphs, or nested more than {_MAX_DEPTH} deep: the rest was left out"
        notes.append(ParseWarning("document-cut", detail))
    pages = writer.pages()
    return pages, (*notes, *hidden.warnings), _properties(document, pages), described


def _figures(references: Mapping[str, int], related: Any, limits: ParseLimits) -> dict[int, list[bytes]]:
    """Return the pictures that are worth describing by page."""
    found: dict[int, list[bytes]] = {}
    for reference, page in references.items():
        with suppress(KeyError, ValueError, AttributeError):
            blob = related[reference].target_part.blob
            if is_worth_describing(blob, limits.max_image_pixels):
                found.setdefault(page, []).append(blob)
    return found


def _properties(document: Any, pages: list[str]) -> Properties:
    own = document.core_properties
    created, modified = (moment.isoformat() if moment else "" for moment in (own.created, own.modified))
    return Properties(title_of(pages, own.title), own.author, created, modified, own.language)


class _PageBuilder:
    """Collects blocks by page; a block belongs to the page on which it begins."""

    def __init__(self, styles: Styles, looks: RunLooks, comments: dict[str, tuple[str, Any]], related: Any) -> None:
        self._styles = styles
        self._looks = looks
        self._comments = comments
        self._related = related
        self._pages: list[list[str]] = [[]]
        self._blocks = 0
        self.left_out = 0
        self.undrawn = 0
        self.pictures: dict[str, int] = {}
        """The relationship of each, and its page; one that stands on several is on the first of them."""

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
            if child.tag in (_P, _TBL):
                self._note_pictures(child)
            if child.tag == _P:
                self._paragraph(child)
            elif child.tag == _TBL:
                self._table(child, depth)
            elif child.tag in _WRAPPERS:
                self.blocks(child, depth + 1)

    def _note_pictures(self, element: Any) -> None:
        for each in element.iter(*_DRAWN):
            name = each.get(_REFERENCES[0]) or each.get(_REFERENCES[1])
            if name and len(self.pictures) < MOST_PICTURES:
                self.pictures.setdefault(name, len(self._pages))

    def notes(self, blob: bytes) -> None:
        """Write footnotes or endnotes as paragraphs at the end."""
        from docx.oxml.parser import parse_xml

        for note in parse_xml(blob):
            if note.tag in (_FOOTNOTE, _ENDNOTE) and note.get(qualified("type")) is None:
                self.blocks(note)

    def line(self, kind: str, element: Any) -> None:
        """Write a header or footer as one line that says what it is, unless it is a page number."""
        paragraphs = (paragraph_runs(each, self._looks)[1] for each in element.iter(_P))
        texts = ["".join(run.text for run in runs).strip() for runs in paragraphs]
        text = " | ".join(dict.fromkeys(text for text in texts if text and not is_page_number(text)))
        if text:
            self._pages[-1].append(f"\n{markdown.paragraph(f'{kind}: {markdown.one_line(text)}')}\n")

    def comments_left(self) -> None:
        """Write the comments that no paragraph refers to, such as replies."""
        while self._comments:
            self._comment(*self._comments.pop(next(iter(self._comments))))

    def _comment(self, author: str, comment: Any) -> None:
        runs = [run for each in comment.iter(_P) for run in (*paragraph_runs(each, self._looks)[1], Run(" "))]
        text = markdown.one_line("".join(run.text for run in runs))
        who = f" ({markdown.one_line(author)})" if author else ""
        if text:
            self._pages[-1].append(f"\n{markdown.paragraph(f'Comment{who}: {text}')}\n")

    def _behind(self, element: Any) -> None:
        """Write what belongs to a paragraph or table: its comments, charts and diagrams."""
        for reference in element.iter(qualified("commentReference")):
            author, comment = self._comments.pop(reference.get(qualified("id"), ""), ("", None))
            if comment is not None:
                self._comment(author, comment)
        texts, missing = drawn(element, self._related)
        self._pages[-1] += [f"\n{text}\n" for text in texts]
        self.undrawn += missing

    def _paragraph(self, element: Any) -> None:
        before, runs, boxes = paragraph_runs(element, self._looks)
        self._break(before)
        text = "".join(run.text for run in runs).strip()
        if text:
            self._pages[-1].append(self._styled(element, text))
        for box in boxes:
            self.blocks(box)
        self._behind(element)
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
        spans: list[Span] = []
        open_spans: dict[int, int] = {}
        breaks = header = 0
        for number, row in enumerate(row for row in _children(element, _TR) if not _is_deleted(row)):
            cells = [""] * _skipped(row)
            header += header == number and _is_header(row)
            for cell in _children(row, _TC):
                runs: list[Run] = []
                for paragraph in cell.iter(_P):
                    runs += [*paragraph_runs(paragraph, self._looks)[1], Run(" ")]
                breaks += sum(run.breaks for run in runs)
                column, wide = len(cells), _span(cell)
                merged = cell.find(f"{qualified('tcPr')}/{qualified('vMerge')}")
                if merged is not None and merged.get(qualified("val")) != "restart" and column in open_spans:
                    above = spans[open_spans[column]]
                    spans[open_spans[column]] = replace(above, rows=number - above.row + 1)
                else:
                    open_spans[column] = len(spans)
                    spans.append(Span(number, column, 1, wide))
                cells += ["".join(run.text for run in runs), *[""] * (wide - 1)]
            rows.append(cells)
        if not rows:
            return
        if len(rows) == 1 and len(rows[0]) == 1:
            # A box around text, not a table.
            self.blocks(_children(_children(element, _TR)[0], _TC)[0], depth + 1)
            return
        if any(text.strip() for row in rows for text in row):
            self._pages[-1].append(f"\n{Grid(rows, spans, header or None).markdown()}\n")
        self._behind(element)
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


def _is_deleted(row: Any) -> bool:
    return row.find(f"{qualified('trPr')}/{qualified('del')}") is not None


def _is_header(row: Any) -> bool:
    mark = row.find(f"{qualified('trPr')}/{qualified('tblHeader')}")
    return mark is not None and mark.get(qualified("val")) not in ("0", "false", "off")


def _skipped(row: Any) -> int:
    """How many columns a row leaves out before its first cell."""
    return _number(row.find(f"{qualified('trPr')}/{qualified('gridBefore')}"), 0)


def _span(cell: Any) -> int:
    return max(1, _number(cell.find(f"{qualified('tcPr')}/{qualified('gridSpan')}"), 1))


def _number(value: Any, default: int) -> int:
    try:
        return max(0, min(64, int(value.get(qualified("val"))))) if value is not None else default
    except (TypeError, ValueError):
        return default
