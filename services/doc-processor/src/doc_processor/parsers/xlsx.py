"""Spreadsheets: a page per sheet, each a heading and a Markdown table."""

from __future__ import annotations

import warnings as python_warnings
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from lxml.etree import XMLSyntaxError
from openpyxl import load_workbook

from doc_processor import containers, markdown
from doc_processor.grids import Grid, Span
from doc_processor.hidden import HiddenText
from doc_processor.parsers import xlsx_parts
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, Upload
from doc_processor.parsers.xlsx_cells import CellLooks
from doc_processor.refusals import NoPages, TooManyPages, Unreadable
from doc_processor.text import tidy
from doc_processor.titles import title_of

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

# What openpyxl raises on damaged workbooks; it has no common class.
DAMAGE = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    SyntaxError,
    XMLSyntaxError,
)


class Sheets:
    """An open workbook; sheets are read one at a time."""

    def __init__(self, workbook: Workbook, file: BinaryIO, limits: ParseLimits) -> None:
        self._workbook = workbook
        self._file = file
        self._limits = limits
        self._sheets = workbook.worksheets
        self.warnings: tuple[ParseWarning, ...] = ()
        self.properties = _properties(workbook)
        if charts := len(workbook.chartsheets):
            self.warnings += (ParseWarning("charts-not-read", f"{charts} sheets that are charts were not read"),)

    @property
    def pages(self) -> int:
        return len(self._sheets)

    def page(self, number: int) -> ParsedPage:
        """Raise `Unreadable` for a damaged sheet."""
        sheet = self._sheets[number - 1]
        notes = []
        if sheet.sheet_state != "visible":
            notes.append(ParseWarning("hidden-sheet", "the sheet is hidden in the workbook"))
        try:
            sheet.reset_dimensions()  # the declared size may be a lie of a billion cells
            hidden = HiddenText.of(self._limits)
            looks = CellLooks(self._workbook, hidden)
            rows, cut = self._rows(sheet.iter_rows(), looks)
            path = getattr(sheet, "_worksheet_path", None)
            around = xlsx_parts.read(self._file, path) if path else xlsx_parts.Around()
        except DAMAGE as error:
            raise Unreadable("the sheet is damaged") from error
        notes += [*hidden.warnings, *around.warnings]
        if cut:
            detail = f"the sheet has more than {self._limits.max_table_cells} cells; {len(rows)} rows were read"
            notes.append(ParseWarning("table-cut", detail))
        spans = [span for span in around.spans if span.row < len(rows)]
        table = Grid(rows, _bounded(spans, self._limits.max_table_cells, rows)).markdown(captions=True)
        blocks = [markdown.heading(sheet.title, 1), table, *around.blocks]
        label = markdown.one_line(sheet.title)
        return ParsedPage(tidy("\n\n".join(filter(None, blocks))), "xlsx", warnings=tuple(notes), label=label)

    def _rows(self, sheet: Iterable[Iterable[Any]], looks: CellLooks) -> tuple[list[list[str]], bool]:
        rows: list[list[str]] = []
        cells = 0
        for row in sheet:
            texts = [looks.text(cell) for cell in row]
            while texts and not texts[-1]:
                texts.pop()
            cells += max(1, len(texts))
            if cells > self._limits.max_table_cells:
                return rows, True
            rows.append(texts)
        return rows, False

    def close(self) -> None:
        self._workbook.close()
        self._file.close()


def _bounded(spans: list[Span], most: int, rows: list[list[str]]) -> list[Span]:
    """Cut spans that reach beyond the cells that are there, of which a hostile file may claim a billion."""
    width = max((len(row) for row in rows), default=0)
    cut = []
    for span in spans:
        span = replace(
            span, rows=min(span.rows, len(rows) - span.row), columns=max(1, min(span.columns, width - span.column))
        )
        most -= span.rows * span.columns
        if most < 0:
            break
        cut.append(span)
    return cut


def _properties(workbook: Any) -> Properties:
    own = workbook.properties
    if own is None:
        return Properties()
    created, modified = (moment.isoformat() if moment else "" for moment in (own.created, own.modified))
    return Properties(title_of([], own.title or ""), own.creator or "", created, modified, own.language or "")


def parse(upload: Upload, limits: ParseLimits) -> Sheets:
    containers.check(upload.path, limits)
    file = upload.path.open("rb")  # by path, openpyxl goes by the name's ending
    try:
        return _open(file, limits)
    except BaseException:
        file.close()
        raise


def _open(file: BinaryIO, limits: ParseLimits) -> Sheets:
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore", UserWarning)  # unsupported extensions, which hold no text
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except DAMAGE as error:
        raise Unreadable("the file is not a readable XLSX workbook") from error
    if not workbook.worksheets:
        raise NoPages("the workbook has no sheets with cells")
    if len(workbook.worksheets) > limits.max_pages:
        raise TooManyPages(f"the workbook has {len(workbook.worksheets)} sheets; at most {limits.max_pages} are read")
    return Sheets(workbook, file, limits)
