"""What stands around the text of Word documents and presentations is read, or named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Inches
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches as Points

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload

DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SMART_ART = (
    f'<dgm:dataModel xmlns:dgm="{DIAGRAM}" xmlns:a="{MAIN}"><dgm:ptLst><dgm:pt modelId="1"><dgm:t><a:p><a:r><a:t>Order the '
    '</a:t></a:r><a:r><a:t>seal</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt modelId="2"><dgm:t><a:p><a:r><a:t>Fit it</a:t></a:r>'
    "</a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>"
)


@pytest.fixture
def opened(tmp_path: Path):
    def open_bytes(media_type: str, data: bytes) -> Opened:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return open_as(media_type, Upload(path), ParseLimits())

    return open_bytes


def test_headers_and_footers_of_all_sections_are_read_once(opened, samples) -> None:
    def build(document) -> None:
        document.add_paragraph("The first section.")
        section = document.sections[0]
        section.header.paragraphs[0].text = "Contract KX-2291"
        section.footer.paragraphs[0].text = "Page 1 of 7"
        section.different_first_page_header_footer = True
        section.first_page_header.paragraphs[0].text = "Draft of May"
        section.even_page_header.paragraphs[0].text = "An even page"
        document.add_section()
        document.add_paragraph("The second section.")
        other = document.sections[1]
        other.header.is_linked_to_previous = False
        other.header.paragraphs[0].text = "Annex A"
        other.footer.is_linked_to_previous = False
        other.footer.paragraphs[0].text = "Valid until 30 June 2027"

    text = opened(sniff.DOCX, samples.docx(build)).page(1).text
    for said in (
        "Header: Contract KX-2291",
        "Header: Draft of May",
        "Header: Annex A",
        "Footer: Valid until 30 June 2027",
    ):
        assert text.count(said) == 1
    assert "even page" not in text  # the document shows the same header on all its pages
    assert "Page 1" not in text


def test_even_headers_are_read_where_they_are_shown(opened, samples) -> None:
    def build(document) -> None:
        document.add_paragraph("Words.")
        document.settings.odd_and_even_pages_header_footer = True
        document.sections[0].even_page_header.paragraphs[0].text = "An even page"

    assert "Header: An even page" in opened(sniff.DOCX, samples.docx(build)).page(1).text


def test_word_comments_stand_behind_their_paragraph_and_deletions_are_named(opened, samples) -> None:
    def build(document) -> None:
        first = document.add_paragraph("The seal is replaced.")
        document.add_comment(first.runs, "The penalty is 400 euros", author="Anna", initials="A")
        document.add_paragraph("The end.")
        document.part._comments_part.element.append(
            parse_xml(
                f'<w:comment {nsdecls("w")} w:id="9" w:author="Bo"><w:p><w:r><w:t>I agree</w:t></w:r></w:p></w:comment>'
            )
        )
        table = document.add_table(rows=2, cols=2)
        for cell, text in zip(table._cells, ("kept", "row", "deleted", "line"), strict=True):
            cell.text = text
        table.rows[1]._tr.get_or_add_trPr().append(parse_xml(f"<w:del {nsdecls('w')}/>"))
        deleted = (
            "<w:p {ns}><w:r><w:t>Every 18 months.</w:t></w:r><w:del><w:r><w:delText>12</w:delText></w:r></w:del></w:p>"
        )
        document.element.body.insert(-1, parse_xml(deleted.replace("{ns}", nsdecls("w"))))

    document = opened(sniff.DOCX, samples.docx(build))
    assert document.page(1).text == (
        "The seal is replaced.\n\nComment (Anna): The penalty is 400 euros\n\nThe end.\n\n| kept | row |\n| --- | --- |\n\n"
        "Every 18 months.\n\nComment (Bo): I agree"
    )
    assert [note.code for note in document.warnings] == ["deletions-left-out"]


def test_word_tables_have_their_merged_cells_filled_and_headers_joined(opened, samples) -> None:
    def build(document) -> None:
        table = document.add_table(rows=4, cols=3)
        for row, texts in zip(
            table.rows, (("Plant", "Hours", ""), ("", "Day", "Night"), ("East", "7", "8"), ("", "9", "10")), strict=True
        ):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        table.cell(0, 1).merge(table.cell(0, 2))
        table.cell(0, 0).merge(table.cell(1, 0))
        table.cell(2, 0).merge(table.cell(3, 0))

    assert opened(sniff.DOCX, samples.docx(build)).page(1).text.split("\n") == [
        "| Plant | Hours / Day | Hours / Night |", "| --- | --- | --- |", "| East | 7 | 8 |", "| East | 9 | 10 |",
    ]  # fmt: skip


def test_word_smart_art_is_read_and_embedded_objects_are_named(opened, samples) -> None:
    def build(document) -> None:
        from docx.opc.packuri import PackURI as WordURI
        from docx.opc.part import Part as WordPart

        part = WordPart(
            WordURI("/word/diagrams/data1.xml"), "application/xml", SMART_ART.encode(), document.part.package
        )
        identity = document.part.relate_to(part, f"{OFFICE}/diagramData")
        document.add_paragraph("The steps:")
        drawing = (
            f'<w:p {nsdecls("w")}><w:r><w:drawing><dgm:relIds xmlns:dgm="{DIAGRAM}" xmlns:r="{OFFICE}" r:dm="{identity}"/>'
            "</w:drawing></w:r><w:r><w:object/></w:r></w:p>"
        )
        document.element.body.insert(-1, parse_xml(drawing))

    document = opened(sniff.DOCX, samples.docx(build))
    assert document.page(1).text == "The steps:\n\n- Order the seal\n- Fit it"
    assert [note.code for note in document.warnings] == ["objects-not-read"]


def test_word_properties_and_title(opened, samples) -> None:
    def build(document) -> None:
        document.core_properties.author, document.core_properties.title = "Anna", "A title of the file"
        document.add_paragraph("Words.")

    found = opened(sniff.DOCX, samples.docx(build)).properties
    assert (found.title, found.author) == ("A title of the file", "Anna")
    headed = opened(
        sniff.DOCX, samples.docx(lambda document: (build(document), document.add_heading("Own heading", 1)))
    )
    assert headed.properties.title == "Own heading"


def test_slides_with_charts_smart_art_groups_notes_and_merged_cells(opened) -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Hours"
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("2026", (7.5, 9))
    slide.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, Points(1), Points(1), Points(4), Points(3), data)
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Points(1), Points(1), Points(2), Points(1)).text_frame.text = "Within a group"
    table = slide.shapes.add_table(3, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for row, texts in enumerate((("Plant", "Line"), ("East", "L1"), ("", "L2"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    slide.notes_slide.notes_text_frame.text = "Mention the dredging."
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", presentation.part.package, SMART_ART.encode())
    frame = slide.shapes[1]._element
    frame.addnext(parse_xml(
        f'<p:graphicFrame xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="{MAIN}">'
        '<p:nvGraphicFramePr><p:cNvPr id="77" name="d"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
        '<p:xfrm><a:off x="9" y="9"/><a:ext cx="99999" cy="99999"/></p:xfrm>'
        f'<a:graphic><a:graphicData uri="{DIAGRAM}"><dgm:relIds xmlns:dgm="{DIAGRAM}" xmlns:r="{OFFICE}" '
        f'r:dm="{slide.part.relate_to(part, f"{OFFICE}/diagramData")}"/></a:graphicData></a:graphic></p:graphicFrame>'
    ))  # fmt: skip
    out = io.BytesIO()
    presentation.save(out)
    document = opened(sniff.PPTX, out.getvalue())
    text = document.page(1).text
    for said in (
        "|  | 2026 |\n| --- | --- |\n| East | 7.5 |\n| West | 9 |", "- Order the seal\n- Fit it", "Within a group",
        "| Plant | Line |\n| --- | --- |\n| East | L1 |\n| East | L2 |", "## Speaker notes\n\nMention the dredging.",
    ):  # fmt: skip
        assert said in text
    assert document.properties.title == "Hours"
    assert document.page(1).warnings == ()
