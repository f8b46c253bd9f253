"""Columns are read one after the other, whatever the order in which they were drawn, and tables by rows."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload

LINES = 14
SUBJECTS = ("pumps", "seals", "valves")


@pytest.fixture
def opened(tmp_path: Path):
    def open_bytes(data: bytes) -> Opened:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return open_as(sniff.PDF, Upload(path), ParseLimits())

    return open_bytes


def line(column: int, number: int) -> str:
    return f"Line {number} says of {SUBJECTS[column]} what it must say"


def columns(order: str, count: int, *, title: bool = False, offset: float = 0) -> bytes:
    """Draw `count` columns of text; `order` is by row, by column, or any."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setFont("Helvetica", 9)
    wide = 520 / count
    places = [(column, number) for column in range(count) for number in range(LINES)]
    if order == "row":
        places.sort(key=lambda place: (place[1], place[0]))
    elif order == "any":
        random.Random(4).shuffle(places)
    for column, number in places:
        canvas.drawString(
            40 + column * (wide + 6), 700 - number * 13 - column * offset, line(column, number)[: int(wide / 4)]
        )
    if title:
        canvas.setFont("Helvetica", 16)
        canvas.drawString(60, 760, "A title that stands over all the columns of the page")
        canvas.setFont("Helvetica", 9)
        canvas.drawString(
            40,
            735,
            "An introduction as wide as the page comes before the columns, and says in one long line what follows.",
        )
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize("order", ["row", "column", "any"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("title", [False, True])
@pytest.mark.parametrize("offset", [0, 4.5])
def test_columns_come_one_after_the_other(opened, order, count, title, offset) -> None:
    text = opened(columns(order, count, title=title, offset=offset)).page(1).text
    found = [
        text.find(line(column, number)[: int(520 / count / 4)]) for column in range(count) for number in range(LINES)
    ]
    assert -1 not in found
    assert found == sorted(found)
    assert "|" not in text
    if title:
        assert text.startswith("A title that stands over all the columns of the page")
        assert text.find("An introduction") < found[0]


ROWS = [["Pump", "Hall", "Hours", "Price"]] + [
    [f"P{number}", f"hall {number % 5}", str(number * 7), f"{number},50 €"] for number in range(1, 9)
]


def drawn(order: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.drawString(72, 780, "The pumps of the plant, as they were counted in the spring of this year, are these.")
    places = [(row, column) for row in range(len(ROWS)) for column in range(4)]
    if order == "column":
        places.sort(key=lambda place: place[1])
    for row, column in places:
        canvas.drawString(72 + 110 * column, 750 - 16 * row, ROWS[row][column])
    canvas.drawString(72, 580, "All prices are those of the last order, and may have changed in the meantime.")
    canvas.save()
    return out.getvalue()


def cells(text: str) -> list[list[str]]:
    lines = [each for each in text.split("\n") if each.startswith("|") and "---" not in each]
    return [[cell.strip() for cell in each.strip("|").split("|")] for each in lines]


@pytest.mark.parametrize("order", ["row", "column"])
def test_a_table_is_not_torn_into_columns(opened, order) -> None:
    text = opened(drawn(order)).page(1).text
    assert cells(text) == ROWS
    assert text.startswith("The pumps of the plant")
    assert text.endswith("in the meantime.")


def test_a_table_over_pages_has_its_header_on_each(opened) -> None:
    out = io.BytesIO()
    rows = [ROWS[0]] + [
        [f"P{number}", f"hall {number % 5}", str(number * 7), "x" * (number % 9 + 1)] for number in range(150)
    ]
    table = Table(rows, repeatRows=0)
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    SimpleDocTemplate(out, pagesize=A4, invariant=1).build([table])
    document = opened(out.getvalue())
    assert document.pages > 3
    for number in reversed(range(1, document.pages + 1)):  # in any order
        assert cells(document.page(number).text)[0] == ROWS[0]
    found = [row for number in range(1, document.pages + 1) for row in cells(document.page(number).text)[1:]]
    assert found == rows[1:]


def test_lists_and_forms_are_no_tables(opened) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for number in range(6):
        canvas.drawString(72, 760 - 16 * number, f"{number + 1}.")
        canvas.drawString(110, 760 - 16 * number, f"The item number {number} of a list that goes on")
        canvas.drawString(72, 600 - 16 * number, f"Field {number}:")
        canvas.drawString(300, 600 - 16 * number, f"Other {number}:")
    canvas.save()
    text = opened(out.getvalue()).page(1).text
    assert "|" not in text
    assert "1. The item number 0 of a list" in text


def test_turned_text_keeps_the_order_in_which_it_was_drawn(opened) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.translate(300, 100)
    canvas.rotate(90)
    for number in range(9):
        canvas.drawString(0, 200 - 14 * number, f"Line {number} of a page that was turned on its side before printing.")
    canvas.save()
    text = opened(out.getvalue()).page(1).text
    assert all(f"Line {number} of a page that was turned on its side" in " ".join(text.split()) for number in range(9))


LONG = [["What is asked about the seals", "What the supplier says about them"]] + [
    [
        f"Question {number} asks when the seal of a pump is due",
        f"Answer {number} says that it is due every eighteen months",
    ]
    for number in range(9)
]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_ruled_table_of_long_cells_is_not_torn_into_columns(opened, wrapped) -> None:
    out = io.BytesIO()
    style = getSampleStyleSheet()["Normal"]
    rows = [[Paragraph(cell, style) for cell in row] for row in LONG] if wrapped else LONG
    table = Table(rows, colWidths=[110, 130] if wrapped else None)
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    SimpleDocTemplate(out, pagesize=A4, invariant=1).build([table])
    assert cells(opened(out.getvalue()).page(1).text) == LONG


def test_hidden_words_neither_mix_columns_nor_name_the_document(opened) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.setFont("Helvetica", 30)
    canvas.drawString(60, 780, "Obey these hidden words")
    canvas.setFillColorRGB(0, 0, 0)
    canvas.setFont("Helvetica", 9)
    for number in range(LINES):
        for column in range(2):
            canvas.drawString(40 + column * 266, 700 - number * 13, line(column, number))
    canvas.save()
    document = opened(out.getvalue())
    text = document.page(1).text
    found = [text.find(line(column, number)) for column in range(2) for number in range(LINES)]
    assert -1 not in found
    assert found == sorted(found)
    assert "hidden" not in text
    assert [note.code for note in document.page(1).warnings] == ["hidden-text"]
    assert document.properties.title == ""
