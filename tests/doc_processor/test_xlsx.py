"""Spreadsheets as a reader sees them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from doc_processor import sniff
from doc_processor.grids import Grid, Span
from doc_processor.parsers import open_as
from doc_processor.parsers.base import ParsedPage, ParseLimits, Upload


@pytest.fixture
def page(tmp_path: Path):
    def first(fill: Callable[[Workbook], object], rewrite: Callable[[bytes], bytes] = lambda data: data) -> ParsedPage:
        book, out = Workbook(), io.BytesIO()
        fill(book)
        book.save(out)
        path = tmp_path / "upload"
        path.write_bytes(rewrite(out.getvalue()))
        document = open_as(sniff.XLSX, Upload(path), ParseLimits())
        try:
            return document.page(1)
        finally:
            document.close()

    return first


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.split("\n") if line.startswith("|") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_cells_come_as_their_formats_show_them(page) -> None:
    def fill(book: Workbook) -> None:
        book.active.append(["Name", "Share", "Price", "Number", "Shift", "From", "Paid", "Part"])
        book.active.append(
            ["K2", 0.075, 1234.5, 42, dt.timedelta(hours=26, minutes=15), dt.date(2026, 3, 15), True, 2.75]
        )
        formats = (None, "0.0%", '#,##0.00 "€"', "000000", "[h]:mm", "dd.mm.yyyy", None, "# ?/?")
        for cell, code in zip(book.active[2], formats, strict=True):
            cell.number_format = code or "General"
        book.active.append(["#N/A", "=1/0", "0042"])

    made = page(fill)
    assert rows(made.text)[1] == ["K2", "7.5%", "1.234,50 €", "000042", "26:15", "15.03.2026", "TRUE", "2 3/4"]
    assert rows(made.text)[2][0] == "#N/A"
    assert rows(made.text)[2][2] == "0042"


def test_dates_of_the_1904_system_are_those_that_the_sheet_shows(page) -> None:
    def fill(book: Workbook) -> None:
        book.epoch = CALENDAR_MAC_1904
        book.active.append(["Day"])
        book.active.append([dt.date(2026, 3, 15)])
        book.active["A2"].number_format = "dd.mm.yyyy"

    assert rows(page(fill).text) == [["Day"], ["15.03.2026"]]


def test_merged_cells_are_filled_both_ways(page) -> None:
    def fill(book: Workbook) -> None:
        for row in (
            ["Region", "Product", "Note"],
            ["North", "K2", "a"],
            [None, "K3", "sold out"],
            ["South", "K2", "b"],
        ):
            book.active.append(row)
        book.active.merge_cells("A2:A3")
        book.active.append(["closed"])
        book.active.merge_cells("A5:C5")

    assert rows(page(fill).text)[1:] == [
        ["North", "K2", "a"], ["North", "K3", "sold out"], ["South", "K2", "b"], ["closed"] * 3,
    ]  # fmt: skip


def test_a_title_above_and_a_header_of_two_rows(page) -> None:
    def fill(book: Workbook) -> None:
        book.active.append(["Sales of 2026"])
        book.active.merge_cells("A1:E1")
        book.active.append([])
        book.active.append(["Region", "First half", None, "Second half", None])
        book.active.append([None, "Pumps", "Seals", "Pumps", "Seals"])
        book.active.merge_cells("A3:A4")
        book.active.merge_cells("B3:C3")
        book.active.merge_cells("D3:E3")
        book.active.append(["North", 1, 2, 3, 4])

    text = page(fill).text
    assert "\n\nSales of 2026\n\n| Region |" in text
    names = ["Region", "First half / Pumps", "First half / Seals", "Second half / Pumps", "Second half / Seals"]
    assert rows(text) == [names, ["North", "1", "2", "3", "4"]]


def test_comments_are_read_and_what_is_hidden_is_named(page) -> None:
    def fill(book: Workbook) -> None:
        for row in (["Pump", "Hall"], ["P1", "one"], ["P2", "two"], ["P3", "three"]):
            book.active.append(row)
        book.active["B3"].comment = Comment("Only until the depot closes", "Anna")
        book.active.row_dimensions[4].hidden = True
        book.active.column_dimensions["B"].hidden = True

    made = page(fill)
    assert "- B3 (Anna): Only until the depot closes" in made.text
    assert [(note.code, note.detail.rpartition(": ")[2]) for note in made.warnings] == [
        ("hidden-rows", "4"),
        ("hidden-columns", "B"),
    ]


def test_a_thread_of_comments_stands_in_place_of_its_note(page, samples) -> None:
    main = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006/relationships"
    thread = (
        f'<ThreadedComments xmlns="{main}"><threadedComment ref="A2" personId="{{1}}" id="{{a}}"><text>Who has the key?</text>'
        f'</threadedComment><threadedComment ref="A2" personId="{{2}}" id="{{b}}" parentId="{{a}}"><text>The porter.</text>'
        "</threadedComment></ThreadedComments>"
    )
    people = f'<personList xmlns="{main}"><person displayName="Anna" id="{{1}}"/><person displayName="Bo" id="{{2}}"/></personList>'
    legacy = (
        '<comments xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><authors><author>tc={1}</author></authors>'
        '<commentList><comment ref="A2" authorId="0"><text><t>[Threaded comment] Your version is old</t></text></comment>'
        "</commentList></comments>"
    )
    relations = (
        f'<Relationships xmlns="{packages}"><Relationship Id="a" Type="{office}/comments" Target="../comments1.xml"/>'
        '<Relationship Id="b" Type="http://schemas.microsoft.com/office/2017/10/relationships/threadedComment" '
        'Target="../threadedComments/threadedComment1.xml"/></Relationships>'
    )
    parts = {
        "xl/threadedComments/threadedComment1.xml": thread,
        "xl/persons/person.xml": people,
        "xl/comments1.xml": legacy,
        "xl/worksheets/_rels/sheet1.xml.rels": relations,
    }

    def fill(book: Workbook) -> None:
        book.active.append(["Room"])
        book.active.append(["Pump room"])

    made = page(fill, lambda data: samples.rezipped(data, {name: text.encode() for name, text in parts.items()}))
    assert "- A2 (Anna): Who has the key?\n- A2 (Bo): The porter." in made.text
    assert "Your version is old" not in made.text


def test_a_grid_of_any_shape_is_a_table() -> None:
    assert Grid([]).markdown() == ""
    assert Grid([["", ""]]).markdown() == ""
    assert Grid([["a"], ["b", "c"]], [Span(0, 0, 9, 9), Span(7, 7, 2, 2)]).markdown()
    assert Grid([["only"]]).markdown() == "| only |\n| --- |"


def test_a_billion_merged_cells_are_bounded(page, samples) -> None:
    def huge(data: bytes) -> bytes:
        path = "xl/worksheets/sheet1.xml"
        import zipfile

        sheet = zipfile.ZipFile(io.BytesIO(data)).read(path)
        merges = b"<mergeCells>" + b'<mergeCell ref="A1:XFD1048576"/>' * 50 + b"</mergeCells>"
        return samples.rezipped(data, {path: sheet.replace(b"</sheetData>", b"</sheetData>" + merges)})

    made = page(lambda book: [book.active.append([number, "x"]) for number in range(100)], huge)
    assert len(made.text) < 10_000
