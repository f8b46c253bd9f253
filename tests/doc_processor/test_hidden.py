"""Text that nobody sees is left out, and counted; what people do see stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from docx.shared import Pt, RGBColor
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from pptx import Presentation
from pptx.dml.color import RGBColor as PptxColor
from pptx.util import Inches
from reportlab.lib.colors import black, white
from reportlab.pdfgen.canvas import Canvas

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload

LIMITS = {"drop": ParseLimits(), "keep": ParseLimits(hidden_text="keep")}


def read(tmp_path: Path, media_type: str, data: bytes, setting: str = "drop") -> Opened:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return open_as(media_type, Upload(path), LIMITS[setting])


def warnings(opened: Opened) -> list[str]:
    notes = (*opened.warnings, *opened.page(1).warnings)
    return [note.detail for note in notes if note.code == "hidden-text"]


HIDING = [
    '<p style="display: none">two words</p>',
    '<style>.x { display: none !important }</style><p class="a x">two words</p>',
    "<style>/* } */ @media screen { #x { visibility: hidden } }</style><p id=x>two words</p>",
    "<p hidden>two words</p>",
    '<p style="color: #fff">two words</p>',
    '<div style="background: rgb(10,20,30)"><p style="color: #0a141e">two words</p></div>',
    '<p style="color: rgba(0, 0, 0, 0)">two words</p>',
    "<font color=white>two words</font>",
    '<p style="font-size: 1px">two <b style="font-size: 1em">words</b></p>',
    '<p style="position: absolute; left: -9999px">two words</p>',
    '<p style="text-indent: -50em">two words</p>',
    '<p style="opacity: 0.0">two words</p>',
    '<p style="overflow: hidden; height: 0">two words</p>',
]
SHOWING = [
    '<p aria-hidden="true">two words</p>',
    '<div style="background: #000"><p style="color: white">two words</p></div>',
    '<div style="background-image: url(x.png)"><p style="color: white">two words</p></div>',
    "<style>@media print { p { display: none } } p:hover { display: none }</style><p>two words</p>",
    '<p style="visibility: hidden"><b style="visibility: visible">two words</b></p>',
    '<p style="font-size: 0.8em; text-indent: -2em; margin-left: -10px">two words</p>',
]


@pytest.mark.parametrize("part", HIDING)
def test_hidden_html_is_left_out_and_counted(tmp_path, part) -> None:
    opened = read(tmp_path, sniff.HTML, f"<p>seen</p>{part}".encode())
    assert opened.page(1).text == "seen"
    assert warnings(opened) == ["2 words of hidden text left out"]


@pytest.mark.parametrize("part", SHOWING)
def test_html_that_people_see_stays(tmp_path, part) -> None:
    opened = read(tmp_path, sniff.HTML, f"<p>seen</p>{part}".encode())
    assert "two words" in opened.page(1).text
    assert warnings(opened) == []


def test_hidden_text_is_marked_where_it_is_kept(tmp_path) -> None:
    opened = read(tmp_path, sniff.HTML, b"<p>seen</p><p hidden>two words</p>", "keep")
    assert "[hidden: two words]" in opened.page(1).text
    assert warnings(opened) == ["2 words of hidden text marked"]


def test_a_hidden_part_of_a_mail_is_counted(tmp_path) -> None:
    mail = b"From: a@b.example\nSubject: s\nContent-Type: text/html\n\n<p>seen</p><p hidden>two words</p>"
    opened = read(tmp_path, sniff.EML, mail)
    assert "two words" not in opened.page(1).text
    assert warnings(opened) == ["2 words of hidden text left out"]


def vanish(document, run) -> None:
    run.font.hidden = True


def whiten(document, run) -> None:
    run.font.color.rgb = RGBColor(255, 255, 255)


def shrink(document, run) -> None:
    run.font.size = Pt(1)


def style(document, run) -> None:
    made = document.styles.add_style("Quiet", 2)
    made.font.hidden = True
    run.style = made


@pytest.mark.parametrize("hide", [vanish, whiten, shrink, style])
def test_hidden_runs_of_word_are_left_out_and_counted(tmp_path, samples, hide) -> None:
    def fill(document) -> None:
        paragraph = document.add_paragraph("seen ")
        hide(document, paragraph.add_run("two words"))

    opened = read(tmp_path, sniff.DOCX, samples.docx(fill))
    assert opened.page(1).text == "seen"
    assert warnings(opened) == ["2 words of hidden text left out"]


def test_white_text_in_a_shaded_table_stays(tmp_path, samples) -> None:
    def fill(document) -> None:
        table = document.add_table(2, 2, "Medium Shading 1 Accent 1")
        run = table.rows[0].cells[0].paragraphs[0].add_run("two words")
        whiten(document, run)

    opened = read(tmp_path, sniff.DOCX, samples.docx(fill))
    assert "two words" in opened.page(1).text
    assert warnings(opened) == []


def pdf(draw: Callable[[Canvas], None]) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(400, 400))
    canvas.drawString(50, 300, "What is seen by everybody.")
    draw(canvas)
    canvas.save()
    return out.getvalue()


def invisible(canvas: Canvas) -> None:
    text = canvas.beginText(50, 200)
    text.setTextRenderMode(3)
    text.textLine("two words")
    canvas.drawText(text)


def white_on_white(canvas: Canvas) -> None:
    canvas.setFillColor(white)
    canvas.drawString(50, 200, "two words")


def tiny(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 1)
    canvas.drawString(50, 200, "two words")


def outside(canvas: Canvas) -> None:
    canvas.drawString(900, 200, "two words")


def below_a_crop(canvas: Canvas) -> None:
    canvas.setCropBox((0, 100, 400, 400))
    canvas.drawString(50, 20, "two words")


@pytest.mark.parametrize("draw", [invisible, white_on_white, tiny, outside, below_a_crop])
def test_hidden_text_of_pdf_is_left_out_and_counted(tmp_path, draw) -> None:
    opened = read(tmp_path, sniff.PDF, pdf(draw))
    assert opened.page(1).text == "What is seen by everybody."
    assert warnings(opened) == ["2 words of hidden text left out"]


def on_black(canvas: Canvas) -> None:
    canvas.setFillColor(black)
    canvas.rect(40, 190, 200, 30, fill=1)
    white_on_white(canvas)


def test_white_text_on_a_dark_shape_stays(tmp_path) -> None:
    opened = read(tmp_path, sniff.PDF, pdf(on_black))
    assert "two words" in opened.page(1).text
    assert warnings(opened) == []


def test_the_text_layer_of_a_scan_stays(tmp_path, samples) -> None:
    picture = samples.picture("two words")

    def scan(canvas: Canvas) -> None:
        from reportlab.lib.utils import ImageReader

        canvas.drawImage(ImageReader(picture), 0, 0, 400, 400)
        invisible(canvas)

    opened = read(tmp_path, sniff.PDF, pdf(scan))
    assert "two words" in opened.page(1).text
    assert warnings(opened) == []


def workbook(fill: Callable[[Worksheet], None]) -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active["A1"] = "seen"
    fill(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "hide",
    [
        lambda cell: setattr(cell, "font", Font(color="FFFFFFFF")),
        lambda cell: setattr(cell, "font", Font(size=1)),
        lambda cell: setattr(cell, "number_format", ";;;"),
    ],
)
def test_hidden_cells_are_left_out_and_counted(tmp_path, hide) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["B1"] = "two words"
        hide(sheet["B1"])

    with closing(read(tmp_path, sniff.XLSX, workbook(fill))) as opened:
        assert "seen" in opened.page(1).text
        assert "two words" not in opened.page(1).text
        assert warnings(opened) == ["2 words of hidden text left out"]


def test_white_cells_on_colour_stay_and_hidden_rows_and_columns_are_named(tmp_path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet["B1"] = "two words"
        sheet["B1"].font = Font(color="FFFFFFFF")
        sheet["B1"].fill = PatternFill("solid", fgColor="FF000000")
        sheet["A2"] = "in a hidden row"
        sheet.row_dimensions[2].hidden = True
        sheet.column_dimensions["D"].hidden = True

    with closing(read(tmp_path, sniff.XLSX, workbook(fill))) as opened:
        page = opened.page(1)
    assert "two words" in page.text
    assert [note.code for note in page.warnings] == ["hidden-rows", "hidden-columns"]


def slide(hide: Callable[[Any], None]) -> bytes:
    presentation = Presentation()
    shapes = presentation.slides.add_slide(presentation.slide_layouts[6]).shapes
    shapes.add_textbox(0, 0, Inches(3), Inches(1)).text_frame.text = "seen"
    box = shapes.add_textbox(0, Inches(2), Inches(3), Inches(1))
    box.text_frame.text = "two words"
    hide(box)
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def beside(box: Any) -> None:
    box.left = Inches(-5)


def switched_off(box: Any) -> None:
    box._element.xpath(".//p:cNvPr")[0].set("hidden", "1")


def tiny_run(box: Any) -> None:
    box.text_frame.paragraphs[0].runs[0].font.size = Pt(1)


def white_in_white(box: Any) -> None:
    box.fill.solid()
    box.fill.fore_color.rgb = PptxColor(255, 255, 255)
    box.text_frame.paragraphs[0].runs[0].font.color.rgb = PptxColor(255, 255, 255)


@pytest.mark.parametrize("hide", [beside, switched_off, tiny_run, white_in_white])
def test_hidden_text_of_slides_is_left_out_and_counted(tmp_path, hide) -> None:
    opened = read(tmp_path, sniff.PPTX, slide(hide))
    assert opened.page(1).text == "seen"
    assert warnings(opened) == ["2 words of hidden text left out"]


def test_thousands_of_white_words_among_thousands_of_shapes_are_not_slow(tmp_path) -> None:
    def draw(canvas: Canvas) -> None:
        white_on_white(canvas)
        for _ in range(3000):
            canvas.drawString(50, 200, "w")
        canvas.setFillColor(black)
        for _ in range(3000):
            canvas.rect(390, 390, 1, 1, fill=1)

    opened = read(tmp_path, sniff.PDF, pdf(draw))
    begun = process_time()
    assert opened.page(1).text == "What is seen by everybody."
    assert process_time() - begun < 10  # half a second; compared one by one, half a minute
