"""Spreadsheets: a page per sheet, each a heading and a Markdown table."""

from __future__ import annotations

import datetime as dt
import re
import warnings as python_warnings
import zipfile
from typing import TYPE_CHECKING, BinaryIO

from openpyxl import load_workbook

from doc_processor import containers, markdown
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, Upload
from doc_processor.refusals import NoPages, TooManyPages, Unreadable
from doc_processor.text import tidy

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

# What openpyxl raises on damaged workbooks; it has no common class.
DAMAGE = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, SyntaxError)
_UNCALCULATED = re.compile(rb"(</f>|<f(?:[^<>/]|/(?!>))*+/>)\s*+(<v\s*+/>|<v></v>|</c>)")


class Sheets:
    """An open workbook; sheets are read one at a time."""

    def __init__(self, workbook: Workbook, file: BinaryIO, limits: ParseLimits) -> None:
        self._workbook = workbook
        self._file = file
        self._limits = limits
        self._sheets = workbook.worksheets
        self.warnings: tuple[ParseWarning, ...] = ()

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
            rows, cut = self._rows(sheet.iter_rows(values_only=True))
        except DAMAGE as error:
            raise Unreadable("the sheet is damaged") from error
        if cut:
            detail = f"the sheet has more than {self._limits.max_table_cells} cells; {len(rows)} rows were read"
            notes.append(ParseWarning("table-cut", detail))
        if missing := self._uncalculated(number):
            detail = f"{missing} formulas have no stored result: the file was never calculated by an office program"
            notes.append(ParseWarning("formulas-without-results", detail))
        text = f"{markdown.heading(sheet.title, 1)}\n\n{markdown.table(rows)}"
        return ParsedPage(tidy(text), "xlsx", warnings=tuple(notes))

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

    def _uncalculated(self, number: int) -> int:
        path = getattr(self._sheets[number - 1], "_worksheet_path", None)
        if path is None:
            return 0
        with zipfile.ZipFile(self._file) as archive:
            return len(_UNCALCULATED.findall(archive.read(path)))

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
