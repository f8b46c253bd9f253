"""Spreadsheets: a page per sheet, each a heading and a Markdown table."""

from __future__ import annotations

import datetime as dt
import re
import warnings as python_warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from openpyxl import load_workbook

from doc_processor import containers, markdown
from doc_processor.hidden import TINY_POINTS, WHITE, HiddenText, alike, hexadecimal
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Properties, Upload
from doc_processor.refusals import NoPages, TooManyPages, Unreadable
from doc_processor.text import tidy

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

# What openpyxl raises on damaged workbooks; it has no common class.
DAMAGE = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, SyntaxError)
_UNCALCULATED = re.compile(rb"(</f>|<f(?:[^<>/]|/(?!>))*+/>)\s*+(<v\s*+/>|<v></v>|</c>)")

_ROW, _COLUMN = re.compile(rb"<(?:\w{1,20}:)?row\b[^<>]*+>"), re.compile(rb"<(?:\w{1,20}:)?col\b[^<>]*+>")
_HIDES = re.compile(rb"\shidden=[\"'](?:1|true)[\"']")
_SHOWS_NOTHING = ";;;"


class Sheets:
    """An open workbook; sheets are read one at a time."""

    def __init__(self, workbook: Workbook, file: BinaryIO, limits: ParseLimits) -> None:
        self._workbook = workbook
        self._file = file
        self._limits = limits
        self._sheets = workbook.worksheets
        self.warnings: tuple[ParseWarning, ...] = ()
        self.properties = Properties()
        # Cells with their fonts take several times as long to read.
        self._may_hide = _may_hide(workbook)

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
            seen = _visible(sheet.iter_rows(), hidden) if self._may_hide else sheet.iter_rows(values_only=True)
            rows, cut = self._rows(seen)
            notes += hidden.warnings
        except DAMAGE as error:
            raise Unreadable("the sheet is damaged") from error
        if cut:
            detail = f"the sheet has more than {self._limits.max_table_cells} cells; {len(rows)} rows were read"
            notes.append(ParseWarning("table-cut", detail))
        markup = self._markup(number)
        if unseen := sum(1 for row in _ROW.findall(markup) if _HIDES.search(row)):
            notes.append(ParseWarning("hidden-rows", f"{unseen} hidden rows of the sheet were read"))
        if columns := sum(1 for column in _COLUMN.findall(markup) if _HIDES.search(column)):
            notes.append(ParseWarning("hidden-columns", f"{columns} ranges of hidden columns were read"))
        if missing := len(_UNCALCULATED.findall(markup)):
            detail = f"{missing} formulas have no stored result: the file was never calculated by an office program"
            notes.append(ParseWarning("formulas-without-results", detail))
        text = f"{markdown.heading(sheet.title, 1)}\n\n{markdown.table(rows)}"
        return ParsedPage(tidy(text), "xlsx", warnings=tuple(notes), label=markdown.one_line(sheet.title))

    def _rows(self, values: object) -> tuple[list[list[str]], bool]:
        rows: list[list[str]] = []
        cells = 0
        for row in values:  # type: ignore[attr-defined]
            texts = [_text(value) for value in row]
            while texts and not texts[-1]:
                texts.pop()
            if not texts:
                continue
            cells += len(texts)
            if cells > self._limits.max_table_cells:
                return rows, True
            rows.append(texts)
        return _without_empty_columns(rows), False

    def _markup(self, number: int) -> bytes:
        path = getattr(self._sheets[number - 1], "_worksheet_path", None)
        if path is None:
            return b""
        with zipfile.ZipFile(self._file) as archive:
            return archive.read(path)

    def close(self) -> None:
        self._workbook.close()
        self._file.close()


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


def _may_hide(workbook: Any) -> bool:
    return any(map(_is_unseen, workbook._fonts)) or _SHOWS_NOTHING in workbook._number_formats


def _visible(rows: Iterable[Iterable[Any]], hidden: HiddenText) -> Iterator[list[object]]:
    """Yield the values of rows, without those that nobody sees."""
    for row in rows:
        yield [hidden.instead_of(_text(cell.value)) if _is_hidden(cell) else cell.value for cell in row]


def _is_hidden(cell: Any) -> bool:
    if cell.value is None or not hasattr(cell, "font"):
        return False
    on_paper = cell.fill is None or cell.fill.fill_type is None
    return cell.number_format == _SHOWS_NOTHING or (_is_unseen(cell.font) and (on_paper or _is_tiny(cell.font)))


def _is_unseen(font: Any) -> bool:
    """Whether a font is white or tiny."""
    written = font.color.rgb if font is not None and font.color is not None and font.color.type == "rgb" else None
    colour = hexadecimal(written[-6:]) if isinstance(written, str) else None
    return (colour is not None and alike(colour, WHITE)) or _is_tiny(font)


def _is_tiny(font: Any) -> bool:
    return font is not None and font.sz is not None and font.sz < TINY_POINTS


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return str(value)


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    width = max((len(row) for row in rows), default=0)
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in rows)]
    if len(used) == width:
        return rows
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]
