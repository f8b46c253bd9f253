"""OpenDocument texts, spreadsheets and presentations (OASIS OpenDocument 1.3 part 3), to Markdown."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from doc_processor import containers, markdown
from doc_processor.grids import Grid, Span
from doc_processor.hidden import HiddenText
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, ReadyPages, Upload
from doc_processor.refusals import Empty, NoPages, PasswordRequired, TooManyPages, Unreadable
from doc_processor.text import tidy
from doc_processor.titles import is_page_number, title_of

_PARTS = ("content.xml", "styles.xml", "meta.xml")
_DAMAGE = (etree.XMLSyntaxError, zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError, RuntimeError)
_O = "urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TEXT, _TABLE, _DRAW, _STYLE, _META, _PRESENTATION = (
    f"{{{_O}{name}:1.0}}" for name in ("office", "text", "table", "drawing", "style", "meta", "presentation")
)
_DC = "{http://purl.org/dc/elements/1.1/}"
_FO = f"{{{_O}xsl-fo-compatible:1.0}}"
_MAX_DEPTH, _MAX_REPEATED = 40, 1000
_INSIDE = {
    f"{_TEXT}section",
    f"{_TEXT}index-body",
    f"{_TEXT}numbered-paragraph",
    f"{_DRAW}g",
    f"{_DRAW}a",
    f"{_DRAW}text-box",
}
_SKIPPED = {f"{_TEXT}tracked-changes", f"{_OFFICE}forms", f"{_TEXT}sequence-decls", f"{_OFFICE}annotation-end"}


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Raise `Unreadable`, `PasswordRequired`, `Empty`, `NoPages` or `TooManyPages`."""
    containers.check(upload.path, limits, parts=_PARTS)
    try:
        content, styles, meta = _trees(upload.path)
    except _DAMAGE as error:
        raise Unreadable("the file is not a readable OpenDocument file") from error
    body = content.find(f"{_OFFICE}body")
    kind = next(iter(body), None) if body is not None else None
    name = kind.tag.removeprefix(_OFFICE) if kind is not None and isinstance(kind.tag, str) else ""
    reader = _Reader(HiddenText.of(limits), _Styles.of(content, styles), limits)
    try:
        pages = _READERS[name](reader, kind, styles)
    except KeyError as error:
        raise Unreadable("the file is no OpenDocument text, spreadsheet or presentation") from error
    except RecursionError as error:
        raise Unreadable("the document is nested too deeply") from error
    if not pages:
        raise NoPages("the document has no pages")
    if not any(page.text for page in pages):
        raise Empty("the document holds no text")
    if len(pages) > limits.max_pages:
        raise TooManyPages(f"the document has {len(pages)} pages; at most {limits.max_pages} are read")
    return ReadyPages(pages, (*reader.warnings(), *reader.hidden.warnings), _properties(meta, pages))


def _trees(path: Path) -> tuple[Any, Any, Any]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise PasswordRequired("the document is encrypted and needs a password")
        return tuple(  # type: ignore[return-value]
            etree.fromstring(archive.read(part), parser) if part in names else etree.Element("none") for part in _PARTS
        )


def _properties(meta: Any, pages: list[ParsedPage]) -> Properties:
    said = {each.tag: each.text or "" for each in meta.iter() if isinstance(each.tag, str)}
    # What a sheet or slide is called is no title of the whole, but the first slide's is.
    texts = [page.text for page in pages if page.engine != "ods"]
    return Properties(
        title=title_of(texts, said.get(f"{_DC}title", "")),
        author=said.get(f"{_META}initial-creator", "") or said.get(f"{_DC}creator", ""),
        created=said.get(f"{_META}creation-date", ""),
        modified=said.get(f"{_DC}date", ""),
        language=said.get(f"{_DC}language", ""),
    )


@dataclass(slots=True)
class _Styles:
    """Names of styles that hide text, break pages, or number lists."""

    hiding: set[str] = field(default_factory=set)
    breaking: set[str] = field(default_factory=set)
    numbering: set[str] = field(default_factory=set)
    hidden_tables: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, *trees: Any) -> _Styles:
        found = cls()
        for tree in trees:
            for style in tree.iter(f"{_STYLE}style", f"{_TEXT}list-style"):
                name = style.get(f"{_STYLE}name", "")
                for properties in style:
                    if properties.get(f"{_TEXT}display") == "none":
                        found.hiding.add(name)
                    if properties.get(f"{_FO}break-before") == "page":
                        found.breaking.add(name)
                    if properties.get(f"{_TABLE}display") == "false":
                        found.hidden_tables.add(name)
                    if properties.tag == f"{_TEXT}list-level-style-number":
                        found.numbering.add(name)
        return found


class _Reader:
    """Turns elements into blocks, and counts what is not read."""

    def __init__(self, hidden: HiddenText, styles: _Styles, limits: ParseLimits) -> None:
        self.hidden = hidden
        self.styles = styles
        self.limits = limits
        self.pages: list[list[str]] = [[]]
        self.notes: list[str] = []
        self.pictures = self.objects = self.deleted = 0

    def warnings(self) -> Iterator[ParseWarning]:
        if self.deleted:
            yield ParseWarning(
                "deletions-left-out", f"{self.deleted} passages that are marked as deleted were left out"
            )
        if self.pictures:
            yield ParseWarning("pictures-not-read", f"{self.pictures} pictures in the document were not read")
        if self.objects:
            yield ParseWarning("objects-not-read", f"{self.objects} embedded objects or charts were not read")

    def add(self, block: str) -> None:
        if block.strip():
            self.pages[-1].append(block)

    def blocks(self, parent: Any, depth: int = 0) -> None:
        if depth > _MAX_DEPTH:
            raise RecursionError
        for element in parent:
            tag = element.tag
            if tag == f"{_TEXT}tracked-changes":
                self.deleted += sum(1 for _ in element.iter(f"{_TEXT}deletion"))
            elif tag in (f"{_TEXT}h", f"{_TEXT}p"):
                self._paragraph(element)
            elif tag == f"{_TEXT}list":
                self._list(element, depth)
            elif tag == f"{_TABLE}table":
                self.add(f"\n{self.table(element)}\n")
            elif tag == f"{_TEXT}soft-page-break":
                self.break_page()
            elif (
                tag in _INSIDE
                or (isinstance(tag, str) and tag.startswith(f"{_TEXT}") and tag.endswith("-index"))
                or tag == f"{_TEXT}table-of-content"
            ):
                self.blocks(element, depth + 1)
            elif isinstance(tag, str) and tag not in _SKIPPED and tag.startswith(_DRAW):
                self.drawing(element, depth)

    def break_page(self) -> None:
        if any(self.pages[-1]):
            self.pages.append([])

    def drawing(self, element: Any, depth: int = 0) -> None:
        """Write the text of a frame or shape; pictures and objects are counted."""
        self.pictures += sum(1 for _ in element.iter(f"{_DRAW}image") if element.find(f"{_DRAW}object") is None)
        self.objects += sum(1 for _ in element.iter(f"{_DRAW}object", f"{_DRAW}object-ole", f"{_DRAW}plugin"))
        self.blocks(element, depth + 1)

    def _paragraph(self, element: Any) -> None:
        if element.get(f"{_TEXT}style-name") in self.styles.breaking:
            self.break_page()
        text, frames = self.inline(element)
        if element.tag == f"{_TEXT}h":
            level = element.get(f"{_TEXT}outline-level", "1")
            if text.strip():
                self.add(f"\n{markdown.heading(text, int(level[:2]) if level.isdigit() else 1)}\n")
        elif text.strip():
            self.add(f"\n{markdown.paragraph(text)}\n")
        for frame in frames:
            self.drawing(frame)

    def _list(self, element: Any, depth: int, style: str = "", level: int = 0) -> None:
        if level > _MAX_DEPTH:
            raise RecursionError
        style = element.get(f"{_TEXT}style-name") or style
        number = 0
        for entry in element:
            if entry.tag not in (f"{_TEXT}list-item", f"{_TEXT}list-header"):
                continue
            number += 1
            for place, child in enumerate(entry):
                if child.tag == f"{_TEXT}list":
                    self._list(child, depth, style, level + 1)
                elif child.tag == f"{_TEXT}h":
                    self._paragraph(child)
                elif child.tag == f"{_TEXT}p":
                    text, frames = self.inline(child)
                    mark = number if style in self.styles.numbering and place == 0 else None
                    self.add(markdown.item(text, level, number=mark) if text.strip() else "")
                    for frame in frames:
                        self.drawing(frame, depth)

    def inline(self, element: Any) -> tuple[str, list[Any]]:
        """Return a paragraph's text, and the frames anchored in it."""
        pieces: list[str] = []
        frames: list[Any] = []
        self._take(element, pieces, frames, 0)
        return "".join(pieces), frames

    def _take(self, element: Any, pieces: list[str], frames: list[Any], depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise RecursionError
        if element.get(f"{_TEXT}style-name") in self.styles.hiding or element.tag == f"{_TEXT}hidden-text":
            pieces.append(self.hidden.instead_of("".join(element.itertext())))
            return
        pieces.append(element.text or "")
        for child in element:
            tag = child.tag
            if tag == f"{_TEXT}s":
                count = child.get(f"{_TEXT}c", "1")
                pieces.append(" " * min(100, int(count) if count.isdigit() else 1))
            elif tag == f"{_TEXT}tab":
                pieces.append("\t")
            elif tag == f"{_TEXT}line-break":
                pieces.append("\n")
            elif tag == f"{_TEXT}note":
                body = child.find(f"{_TEXT}note-body")
                self.notes.append(" ".join(body.itertext()) if body is not None else "")
            elif tag == f"{_OFFICE}annotation":
                self.notes.append(_comment(child))
            elif isinstance(tag, str) and tag.startswith(_DRAW) and tag != f"{_DRAW}a":
                frames.append(child)
            elif tag == f"{_TEXT}ruby":
                base = child.find(f"{_TEXT}ruby-base")
                pieces.append("".join(base.itertext()) if base is not None else "")
            elif isinstance(tag, str):
                self._take(child, pieces, frames, depth + 1)
            pieces.append(child.tail or "")

    def table(self, element: Any) -> str:
        return self.grid(element)[0].markdown()

    def grid(self, element: Any) -> tuple[Grid, Counts]:
        """Read a table's cells as they are shown; the header rows are those that the file says are repeated."""
        rows: list[list[str]] = []
        spans: list[Span] = []
        counts = Counts()
        header = 0
        cells_left = self.limits.max_table_cells
        for row in _own_rows(element):
            times = _times(row, "number-rows-repeated")
            cells, own = self._cells(row, len(rows), counts)
            filled = any(cells)
            for _ in range(times if filled else min(times, 1)):
                cells_left -= max(1, len(cells))
                if cells_left < 0:
                    counts.cut = True
                    return Grid(rows, spans, header or None), counts
                rows.append(list(cells))
            spans += own
            if row.get(f"{_TABLE}visibility") in ("collapse", "filter"):
                counts.hidden_rows += times
            header += row.getparent().tag == f"{_TABLE}table-header-rows"
        counts.hidden_columns = sum(
            each.get(f"{_TABLE}visibility") in ("collapse", "filter") for each in element.iter(f"{_TABLE}table-column")
        )
        return Grid(rows, spans, header or None), counts

    def _cells(self, row: Any, number: int, counts: Counts) -> tuple[list[str], list[Span]]:
        cells: list[str] = []
        spans: list[Span] = []
        for cell in row.iter(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            if cell.getparent() is not row:
                continue
            text = self._cell_text(cell, counts) if cell.tag == f"{_TABLE}table-cell" else ""
            high, wide = _times(cell, "number-rows-spanned"), _times(cell, "number-columns-spanned")
            if high > 1 or wide > 1:
                spans.append(Span(number, len(cells), high, wide))
            cells += [text] * _times(cell, "number-columns-repeated")
        while cells and not cells[-1]:
            cells.pop()
        return cells, [span for span in spans if span.column < len(cells)]

    def _cell_text(self, cell: Any, counts: Counts) -> str:
        texts = [
            self.inline(child)[0]
            for child in cell.iter(f"{_TEXT}p", f"{_TEXT}h")
            if not any(parent.tag == f"{_OFFICE}annotation" for parent in child.iterancestors())
        ]
        counts.comments += [_comment(note) for note in cell.findall(f"{_OFFICE}annotation")]
        return " ".join(filter(None, texts)).strip()


@dataclass(slots=True)
class Counts:
    """What a table has besides its cells."""

    comments: list[str] = field(default_factory=list)
    hidden_rows: int = 0
    hidden_columns: int = 0
    cut: bool = False


def _text(reader: _Reader, body: Any, styles: Any) -> list[ParsedPage]:
    running = list(_running(reader, styles))
    for kind, text in running:
        if kind == "Header":
            reader.add(f"\n{markdown.paragraph(f'Header: {text}')}\n")
    reader.blocks(body)
    for note in reader.notes:
        reader.add(f"\n{markdown.paragraph(markdown.one_line(note))}\n")
    for kind, text in running:
        if kind == "Footer":
            reader.add(f"\n{markdown.paragraph(f'Footer: {text}')}\n")
    return [ParsedPage(tidy("\n".join(blocks)), "odt") for blocks in reader.pages]


def _running(reader: _Reader, styles: Any) -> Iterator[tuple[str, str]]:
    """Yield the headers and footers of the page styles, those that say more than a page's number, once each."""
    seen = set()
    for name, kind in (("header", "Header"), ("footer", "Footer")):
        for element in styles.iter(f"{_STYLE}{name}", f"{_STYLE}{name}-left", f"{_STYLE}{name}-first"):
            text = markdown.one_line(" ".join(reader.inline(each)[0] for each in element.iter(f"{_TEXT}p")))
            if text and (kind, text) not in seen and not is_page_number(text):
                seen.add((kind, text))
                yield kind, text


def _spreadsheet(reader: _Reader, body: Any, styles: Any) -> list[ParsedPage]:
    pages = []
    for sheet in body.findall(f"{_TABLE}table"):
        name = markdown.one_line(sheet.get(f"{_TABLE}name", ""))
        grid, counts = reader.grid(sheet)
        blocks = [markdown.heading(name, 1), grid.markdown(captions=True)]
        if counts.comments:
            blocks.append("\n".join(["Comments:", "", *(markdown.item(each, 0) for each in counts.comments)]))
        notes = []
        if sheet.get(f"{_TABLE}style-name") in reader.styles.hidden_tables:
            notes.append(ParseWarning("hidden-sheet", "the sheet is hidden in the workbook"))
        if counts.hidden_rows:
            notes.append(ParseWarning("hidden-rows", f"{counts.hidden_rows} hidden rows of the sheet were read"))
        if counts.hidden_columns:
            detail = f"{counts.hidden_columns} ranges of hidden columns were read"
            notes.append(ParseWarning("hidden-columns", detail))
        if counts.cut:
            detail = f"the sheet has more than {reader.limits.max_table_cells} cells; the rest was left out"
            notes.append(ParseWarning("table-cut", detail))
        for shapes in sheet.findall(f"{_TABLE}shapes"):
            reader.blocks(shapes)
        blocks += reader.pages.pop()
        reader.pages.append([])
        pages.append(ParsedPage(tidy("\n\n".join(filter(None, blocks))), "ods", warnings=tuple(notes), label=name))
    return pages


def _presentation(reader: _Reader, body: Any, styles: Any) -> list[ParsedPage]:
    pages = []
    for slide in body.findall(f"{_DRAW}page"):
        reader.pages, reader.notes = [[]], []
        for frame in slide:
            if frame.tag == f"{_PRESENTATION}notes":
                continue
            if frame.get(f"{_PRESENTATION}class") == "title":
                text = " ".join(reader.inline(each)[0] for each in frame.iter(f"{_TEXT}p"))
                reader.pages[0].insert(0, f"{markdown.heading(text, 1)}\n" if text.strip() else "")
            elif frame.tag == f"{_OFFICE}annotation":
                reader.notes.append(_comment(frame))
            elif isinstance(frame.tag, str) and frame.tag.startswith(_DRAW):
                reader.blocks([frame])
        spoken = slide.find(f"{_PRESENTATION}notes")
        texts = [reader.inline(each)[0] for each in spoken.iter(f"{_TEXT}p")] if spoken is not None else []
        if any(text.strip() for text in texts):
            reader.add(f"\n{markdown.heading('Speaker notes', 2)}\n\n{markdown.paragraph(chr(10).join(texts))}")
        reader.pages[-1] += [f"\n{markdown.paragraph(note)}\n" for note in reader.notes]
        pages.append(ParsedPage(tidy("\n".join(block for page in reader.pages for block in page)), "odp"))
    return pages


_READERS = {"text": _text, "spreadsheet": _spreadsheet, "presentation": _presentation}


def _own_rows(table: Any) -> Iterator[Any]:
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag in (f"{_TABLE}table-header-rows", f"{_TABLE}table-rows", f"{_TABLE}table-row-group"):
            yield from _own_rows(child)


def _times(element: Any, name: str) -> int:
    written = element.get(f"{_TABLE}{name}", "1")
    return (
        max(1, min(_MAX_REPEATED, int(written))) if written.isascii() and written.isdigit() and len(written) < 9 else 1
    )


def _comment(element: Any) -> str:
    who = element.findtext(f"{_DC}creator") or ""
    text = markdown.one_line(" ".join("".join(each.itertext()) for each in element.iter(f"{_TEXT}p")))
    return f"Comment ({markdown.one_line(who)}): {text}" if who else f"Comment: {text}"
