from __future__ import annotations

import datetime as dt
from email.message import EmailMessage
from pathlib import Path
from time import process_time

import pytest
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from doc_processor import sniff
from doc_processor.parsers import docx, html, open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload
from doc_processor.refusals import Empty, HostileMarkup, NoPages, NoPicture, TooComplex, TooManyPages, Unreadable


@pytest.fixture
def opened(tmp_path: Path):
    def open_bytes(media_type: str, data: bytes, limits: ParseLimits | None = None) -> Opened:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return open_as(media_type, Upload(path), limits or ParseLimits())

    return open_bytes


def text_of(document: Opened) -> str:
    assert document.pages == 1
    return document.page(1).text


def codes(document: Opened, page: int = 0) -> list[str]:
    notes = document.page(page).warnings if page else document.warnings
    return [note.code for note in notes]


# --- plain text and Markdown


def test_markdown_stays_as_it_is(opened) -> None:
    source = "# Title\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert text_of(opened(sniff.MARKDOWN, source.encode())) == source


def test_form_feeds_part_pages(opened) -> None:
    document = opened(sniff.PLAIN, b"first\n\fsecond\n\f")
    assert [document.page(number).text for number in (1, 2)] == ["first", "second"]
    assert document.pages == 2


def test_invalid_text_is_read_with_a_warning(opened) -> None:
    document = opened(sniff.PLAIN, b"before\x00after caf\xc3\xa9 \xff end")
    assert text_of(document) == "beforeafter café \ufffd end"
    assert codes(document) == ["encoding-damaged", "control-characters"]


@pytest.mark.parametrize("data", [b" \n\t\n", b"\xef\xbb\xbf", b"\x00\x00\x00"])
def test_text_without_text_is_empty(opened, data) -> None:
    with pytest.raises(Empty):
        opened(sniff.PLAIN, data)


def test_too_many_pages_are_refused(opened) -> None:
    with pytest.raises(TooManyPages, match="4 pages; at most 3"):
        opened(sniff.PLAIN, b"a\fb\fc\fd", ParseLimits(max_pages=3))


# --- CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_becomes_a_table(opened, delimiter) -> None:
    data = "\n".join(delimiter.join(row) for row in (["Name", "Berth"], ["Merel", "A1"], ["Zwaluw", "B2"])).encode()
    assert text_of(opened(sniff.CSV, data)) == "| Name | Berth |\n| --- | --- |\n| Merel | A1 |\n| Zwaluw | B2 |"


def test_csv_cells_are_quoted_right(opened) -> None:
    document = opened(sniff.CSV, b'a,b\n"two\nlines, one cell",x|y\n')
    assert text_of(document).splitlines()[-1] == "| two lines, one cell | x\\|y |"


def test_a_long_table_is_cut_with_a_warning(opened) -> None:
    document = opened(sniff.CSV, b"a,b\n" * 100, ParseLimits(max_table_cells=20))
    assert codes(document) == ["table-cut"]
    assert len(text_of(document).splitlines()) == 11


def test_a_csv_without_cells_is_empty(opened) -> None:
    with pytest.raises(Empty):
        opened(sniff.CSV, b",,,\n,,\n")


# --- HTML


def test_html_becomes_markdown(opened) -> None:
    page = b"""<!doctype html><html><head><title>Moorings</title><style>p {color: red}</style></head><body>
    <nav><a href="/">Home</a></nav><h1>Moorings</h1><p>See <a href="http://x.example/secret">the list</a>.</p>
    <ul><li>one</li><li>two<ul><li>deep</li></ul></li></ul>
    <table><tr><th>Berth</th><th>Length</th></tr><tr><td>A1</td><td>12 m</td></tr></table>
    <img src="http://x.example/p.png" alt="A boat"><script>alert(1)</script></body></html>"""
    text = text_of(opened(sniff.HTML, page))
    assert text.startswith("# Moorings\n\nSee the list.")
    assert "- one\n- two\n  - deep" in text
    assert "| Berth | Length |\n| --- | --- |\n| A1 | 12 m |" in text
    assert "A boat" in text
    for left_out in ("alert", "color", "Home", "x.example"):
        assert left_out not in text


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display: none">HIDDEN</p>',
        "<p hidden>HIDDEN</p>",
        '<span style="font-size:0">HIDDEN</span>',
        "<!-- HIDDEN -->",
        "<template>HIDDEN</template>",
    ],
)
def test_hidden_html_is_left_out(opened, hidden) -> None:
    assert text_of(opened(sniff.HTML, f"<p>seen</p>{hidden}".encode())) == "seen"


def test_the_title_stands_in_for_a_missing_heading(opened) -> None:
    assert text_of(opened(sniff.HTML, b"<title>Tides</title><p>High at noon.")) == "# Tides\n\nHigh at noon."


def test_html_says_its_own_encoding(opened) -> None:
    page = '<meta charset="iso-8859-2"><p>Łódź</p>'.encode("iso-8859-2")
    assert text_of(opened(sniff.HTML, page)) == "Łódź"


def test_deep_html_is_read_without_structure(opened) -> None:
    document = opened(sniff.HTML, b"<div>" * 5000 + b"bottom" + b"</div>" * 5000)
    assert "bottom" in text_of(document)


def test_html_without_text_is_empty(opened) -> None:
    with pytest.raises(Empty):
        opened(sniff.HTML, b"<html><script>x()</script></html>")


@pytest.mark.parametrize("mark", [b"sep=;\r\n", b'"sep=;"\n', b"\xef\xbb\xbfSEP=;\n", "sep=;\n".encode("utf-16-le")])
def test_the_line_that_names_the_delimiter_is_no_data(opened, mark) -> None:
    rows = "Ort;Stunden\nBonn;1,5\n"
    data = mark + rows.encode("utf-16-le" if b"\0" in mark else "utf-8")
    assert text_of(opened(sniff.CSV, data)) == "| Ort | Stunden |\n| --- | --- |\n| Bonn | 1,5 |"


# --- subtitles


VTT = """WEBVTT
Kind: captions

STYLE
::cue { color: red }

NOTE made by the recorder

cue-1
00:00:00.000 --> 00:00:06.500 align:start position:0%
<v Mara Lind>Good morning.</v>

00:01:07.000 --> 00:01:13.500
<v.loud Jonas Beck>The seal <i>leaks</i>.
<v Mara Lind>Again?
"""
SRT = "1\n00:00:00,000 --> 00:00:06,500\nMara Lind: Good morning.\n\n2\n00:01:07,000 --> 00:01:13,500\n{\\an8}Jonas Beck: The seal <i>leaks</i>.\nMara Lind: Again?\n"
SBV = "0:00:00.000,0:00:06.500\nMara Lind: Good morning.\n\n0:01:07.000,0:01:13.500\nJonas Beck: The seal leaks.\nMara Lind: Again?\n"
ASS = """[Script Info]
Title: meeting

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.00,0:00:06.50,Default,Mara Lind,0,0,0,,Good morning.
Dialogue: 0,0:01:07.00,0:01:13.50,Default,Jonas Beck,0,0,0,,{\\i1}The seal{\\i0} leaks.
Dialogue: 0,0:01:12.00,0:01:13.50,Default,Mara Lind,0,0,0,,Again?
"""


@pytest.mark.parametrize("source", [VTT, SRT, SBV, ASS])
def test_subtitles_are_what_is_said_and_times_are_positions(opened, source) -> None:
    document = opened(sniff.SRT, source.encode())
    pages = [document.page(number) for number in range(1, document.pages + 1)]
    assert [page.text for page in pages] == [
        "Mara Lind: Good morning.",
        "Jonas Beck: The seal leaks.\n\nMara Lind: Again?",
    ]
    assert [page.label for page in pages] == ["00:00:00", "00:01:07"]
    assert document.properties.title == ""


def test_html_tables_have_their_merged_cells_filled_and_bars_kept_in_cells(opened) -> None:
    page = (
        "<table><caption>Hours</caption><thead><tr><th rowspan=2>Plant</th><th colspan=2>Shift</th></tr><tr><th>Day</th>"
        "<th>Night</th></tr></thead><tr><td rowspan='2'>East</td><td>1</td><td>2 | 3</td></tr><tr><td>4</td><td>5<br>6</td>"
        "</tr></table>"
    )
    assert text_of(opened(sniff.HTML, page.encode())).split("\n") == [
        "Hours", "", "| Plant | Shift / Day | Shift / Night |", "| --- | --- | --- |", "| East | 1 | 2 \\| 3 |", "| East | 4 | 5 6 |",
    ]  # fmt: skip


def test_tables_that_lay_a_page_out_are_no_tables(opened) -> None:
    page = b"<table><tr><td><h1>Invoice</h1><p>Of May</p></td></tr><tr><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>"
    assert text_of(opened(sniff.HTML, page)) == "# Invoice\n\nOf May\n\n| a | b |\n| --- | --- |"


def test_a_table_cell_cannot_claim_a_billion_places(opened) -> None:
    page = b"<table>" + b"<tr><td rowspan=99999 colspan=99999>a</td><td>b</td></tr>" * 50 + b"</table>"
    assert len(text_of(opened(sniff.HTML, page))) < 10_000_000


def test_html_properties(opened) -> None:
    page = b"<html lang='nl'><head><title>Rota</title><meta name=author content='x'><meta content=\"Anna\" name='author'></head><p>a</p>"
    found = opened(sniff.HTML, page).properties
    assert (found.title, found.author, found.language) == ("Rota", "Anna", "nl")


# --- mail


def test_mail_has_headers_and_body_and_its_attachments_are_parts(opened, samples) -> None:
    attachments = {
        "list.txt": b"plank 4\nplank 9",
        "photo.jpg": b"\xff\xd8",
        "stock.xlsx": samples.xlsx(Stock=[["rope", 7]]),
    }
    document = opened(sniff.EML, samples.mail("The planks are worn.", attachments=attachments))
    text = document.page(1).text
    assert text.startswith("# Pontoon inspection\n\n- From: Harbour office <office@harbour.example>\n- To: crew@")
    assert "- Date: Mon, 12 Oct 2026 09:00:00 +0200\n\nThe planks are worn." in text
    assert "- list.txt\n- photo.jpg\n- stock.xlsx" in text
    parts = [document.page(number) for number in range(2, document.pages + 1)]
    assert [page.label for page in parts] == ["list.txt", "stock.xlsx: Stock"]
    assert parts[0].text == "## Attachment: list.txt\n\nplank 4\nplank 9"
    assert "| rope | 7 |" in parts[1].text
    assert codes(document) == ["attachment-not-read"]
    assert "photo.jpg" in document.warnings[0].detail
    document.close()


def test_a_picture_that_is_attached_to_a_mail_can_be_looked_at_and_read(opened, samples) -> None:
    document = opened(sniff.EML, samples.mail("See the photo.", attachments={"shed.png": samples.png("The boat shed")}))
    assert document.page(2).wants_ocr
    assert document.render(2).width == 1700
    assert document.view(2, 500).image.width == 500
    with pytest.raises(NoPicture):
        document.view(1, 500)
    document.close()


def forwarded(depth: int) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@b.example", f"Level {depth}"
    message.set_content(f"Words of level {depth}.")
    if depth:
        message.add_attachment(forwarded(depth - 1))
    return message


def test_forwarded_messages_are_read_to_a_bounded_depth(opened) -> None:
    document = opened(sniff.EML, forwarded(9).as_bytes())
    text = "\n".join(document.page(number).text for number in range(1, document.pages + 1))
    assert [level for level in range(10) if f"Words of level {level}." in text] == [6, 7, 8, 9]
    assert "Forwarded message: Level 8" in text
    assert "attachment-not-read" in codes(document)


def test_pictures_and_packed_attachments_are_named(opened) -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@b.example", "Plan"
    message.set_content("See below.")
    message.add_alternative('<p>See the plan below.</p><img src="cid:one">', subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<one>")
    message.add_attachment(b"\x78\x9f\x3e\x22", "application", "ms-tnef", filename="winmail.dat")
    document = opened(sniff.EML, message.as_bytes())
    assert "See the plan below." in document.page(1).text
    assert codes(document) == ["pictures-not-read", "attachment-not-read"]
    assert "winmail.dat" in document.warnings[1].detail


def test_html_mail_is_read_where_there_is_no_plain_text(opened) -> None:
    data = b"From: a@b.example\nSubject: s\nMIME-Version: 1.0\nContent-Type: text/html\n\n<p>Only <b>rich</b> text</p>"
    assert text_of(opened(sniff.EML, data)).endswith("Only **rich** text")


@pytest.mark.parametrize(
    ("plain", "rich", "read"),
    [
        (
            "Your program does not show HTML.",
            "<h1>Invoice</h1><table><tr><td>Gasket</td><td>18,40</td></tr></table>",
            "Gasket",
        ),
        ("The seal of pump two leaks, order a new one by Thursday.", "<p>See the text part.</p>", "order a new one"),
        ("The seal leaks.", "<p>The <b>seal</b> leaks.</p>", "**seal**"),
        ("The seal leaks.", "<img src='logo.png'>", "The seal leaks."),
    ],
)
def test_the_richer_of_two_bodies_is_read(opened, samples, plain, rich, read) -> None:
    assert read in text_of(opened(sniff.EML, samples.mail(plain, html=rich)))


@pytest.mark.parametrize(
    "data",
    [
        b'Subject: =?utf-8?b?////?=\nFrom: "unclosed <a@b\nDate: nonsense\n\nbody text',
        b"From: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; charset=nonsense\n\nbody text",
        b"From: a\nContent-Transfer-Encoding: base64\n\nYm9keSB0ZXh0!!",
    ],
)
def test_broken_mail_is_read_as_far_as_possible(opened, data) -> None:
    assert "body text" in text_of(opened(sniff.EML, data))


# --- Word


def add_sample(document) -> None:
    document.add_heading("Yearbook", 0)
    document.add_heading("The boats", 1)
    document.add_paragraph("There are two boats.")
    document.add_paragraph("Merel", style="List Bullet")
    document.add_paragraph("Zwaluw", style="List Bullet")
    document.add_paragraph("Untie", style="List Number")
    document.add_paragraph("Row", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Boat", "Year", "Merel", "1987"), strict=True):
        cell.text = text
    document.add_paragraph("# not a heading")


def test_word_becomes_markdown(opened, samples) -> None:
    assert text_of(opened(sniff.DOCX, samples.docx(add_sample))) == (
        "# Yearbook\n\n# The boats\n\nThere are two boats.\n\n- Merel\n- Zwaluw\n1. Untie\n2. Row\n\n"
        "| Boat | Year |\n| --- | --- |\n| Merel | 1987 |\n\n\\# not a heading"
    )


def test_word_page_breaks_part_pages(opened, samples) -> None:
    def build(document) -> None:
        document.add_paragraph("first").add_run().add_break(WD_BREAK.PAGE)
        second = document.add_paragraph()
        second.add_run()._r.append(parse_xml(f"<w:lastRenderedPageBreak {nsdecls('w')}/>"))
        second.add_run("second")
        document.add_paragraph("third").paragraph_format.page_break_before = True

    document = opened(sniff.DOCX, samples.docx(build))
    assert [document.page(n + 1).text for n in range(document.pages)] == ["first", "second", "third"]


def test_word_keeps_what_wrappers_hold_and_drops_what_is_deleted(opened, samples) -> None:
    def build(document) -> None:
        for xml in (
            "<w:sdt {ns}><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>",
            "<w:p {ns}><w:ins><w:r><w:t>inserted</w:t></w:r></w:ins><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
            "<w:hyperlink><w:r><w:t> linked</w:t></w:r></w:hyperlink></w:p>",
            "<w:p {ns}><w:r><w:rPr><w:vanish/></w:rPr><w:t>unseen</w:t></w:r><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r></w:p>",
            "<w:p {ns}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>",
        ):
            document.element.body.insert(-1, parse_xml(xml.replace("{ns}", nsdecls("w"))))

    assert text_of(opened(sniff.DOCX, samples.docx(build))) == "in a control\n\ninserted linked\n\na\tb\n\nboxed"


def test_word_headings_are_found_by_outline_level(opened, samples) -> None:
    def build(document) -> None:
        paragraph = document.add_paragraph("Own style")
        properties = paragraph._p.get_or_add_pPr()
        properties.append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="2"/>'))

    assert text_of(opened(sniff.DOCX, samples.docx(build))) == "### Own style"


def test_a_document_without_text_is_empty(opened, samples) -> None:
    with pytest.raises(Empty):
        opened(sniff.DOCX, samples.docx(lambda document: None))


def test_word_with_entities_is_refused(opened, samples) -> None:
    bomb = b'<!DOCTYPE w [<!ENTITY a "ha">]><w:document>&a;</w:document>'
    with pytest.raises(HostileMarkup):
        opened(sniff.DOCX, samples.rezipped(samples.docx(add_sample), {"word/document.xml": bomb}))


@pytest.mark.parametrize("xml", [b"", b"<unclosed", b"<other/>"])
def test_damaged_word_files_are_refused(opened, samples, xml) -> None:
    with pytest.raises((Unreadable, Empty, HostileMarkup)):
        opened(sniff.DOCX, samples.rezipped(samples.docx(add_sample), {"word/document.xml": xml}))


# --- presentations


def test_each_slide_is_a_page(opened, samples) -> None:
    document = opened(sniff.PPTX, samples.pptx(("Tides", ["High at noon", "Low at six"]), ("Wind", ["South-west"])))
    assert document.pages == 2
    assert document.page(1).text == "# Tides\n\n- High at noon\n- Low at six"
    assert document.page(2).text == "# Wind\n\nSouth-west"


def test_slides_have_tables_and_notes(opened, samples) -> None:
    text = text_of(opened(sniff.PPTX, samples.pptx_with_table()))
    assert "| Berth | Length |\n| --- | --- |\n| A1 | 12 m \\| deep |" in text
    assert text.endswith("## Speaker notes\n\nMention the dredging.")


def test_a_presentation_without_slides_has_no_pages(opened, samples) -> None:
    with pytest.raises(NoPages):
        opened(sniff.PPTX, samples.pptx())


# --- spreadsheets


def test_each_sheet_is_a_page(opened, samples) -> None:
    rows = [
        ["Boat", "Since", "Length", None],
        [None] * 4,
        ["Merel", dt.date(1987, 5, 1), 12.0, None],
        ["Z", None, 9.25, None],
    ]
    document = opened(sniff.XLSX, samples.xlsx(Boats=rows, Crew=[["Name"], ["Tjalling"]]))
    assert document.page(1).text == (
        "# Boats\n\n| Boat | Since | Length |\n| --- | --- | --- |\n| Merel | 1987-05-01 | 12 |\n| Z |  | 9.25 |"
    )
    assert document.page(2).text == "# Crew\n\n| Name |\n| --- |\n| Tjalling |"
    document.close()


def test_formulas_without_results_are_a_warning(opened, samples) -> None:
    document = opened(sniff.XLSX, samples.xlsx(Sums=[["a", 1], ["b", "=B1*2"]]))
    assert codes(document, page=1) == ["formulas-without-results"]
    document.close()


def test_a_long_sheet_is_cut_with_a_warning(opened, samples) -> None:
    document = opened(sniff.XLSX, samples.xlsx(Long=[[n, n] for n in range(50)]), ParseLimits(max_table_cells=20))
    assert codes(document, page=1) == ["table-cut"]
    document.close()


def test_a_sheet_that_lies_about_its_size_is_read(opened, samples) -> None:
    data = samples.xlsx(Small=[["only", "row"]])
    path = "xl/worksheets/sheet1.xml"
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
    )
    sheet += b'<sheetData><row r="1"><c r="A1"><v>7</v></c></row></sheetData></worksheet>'
    document = opened(sniff.XLSX, samples.rezipped(data, {path: sheet}))
    assert document.page(1).text == "# Small\n\n| 7 |\n| --- |"
    document.close()


@pytest.mark.parametrize("part", ["xl/workbook.xml", "[Content_Types].xml"])
def test_damaged_workbooks_are_refused(opened, samples, part) -> None:
    with pytest.raises((Unreadable, NoPages)):
        opened(sniff.XLSX, samples.rezipped(samples.xlsx(a=[["x"]]), {part: b"<a/>"}))


def multipart(depth: int) -> bytes:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{at}"\n\n--b{at}\n' for at in range(depth))
    return f"From: a@b.example\nTo: c@d.example\nSubject: s\n{parts}\ntext".encode()


def test_a_mail_nested_two_thousand_fold_is_refused_before_it_is_parsed(tmp_path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(multipart(2000))
    with pytest.raises(TooComplex, match="200"):
        open_as(sniff.EML, Upload(path, "deep.eml"), ParseLimits())


def test_a_header_nested_too_deeply_does_not_fail_the_mail(tmp_path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"From: a@b.example\nSubject: s\nCc: " + b'"(' * 2000 + b"\n\nThe text.")
    opened = open_as(sniff.EML, Upload(path, "a.eml"), ParseLimits())
    assert "Cc: (unreadable)" in opened.page(1).text
    assert "The text." in opened.page(1).text


def test_a_page_of_too_many_tags_is_cut_with_a_warning(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(html, "_MAX_TAGS", 20)
    path = tmp_path / "upload"
    path.write_bytes(b"<html><body>" + b"<p>word</p>" * 50)
    opened = open_as(sniff.HTML, Upload(path, "a.html"), ParseLimits())
    assert opened.page(1).text.count("word") == 9
    assert [note.code for note in opened.warnings] == ["document-cut"]


def test_a_document_of_too_many_paragraphs_is_cut_with_a_warning(tmp_path, samples, monkeypatch) -> None:
    monkeypatch.setattr(docx, "_MAX_BLOCKS", 20)
    path = tmp_path / "upload"
    path.write_bytes(samples.docx(lambda document: [document.add_paragraph("word") for _ in range(50)]))
    opened = open_as(sniff.DOCX, Upload(path, "a.docx"), ParseLimits())
    assert opened.page(1).text.count("word") == 20
    assert [note.code for note in opened.warnings] == ["document-cut"]


def test_quotes_that_never_match_do_not_make_a_table_slow(tmp_path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b'",' * 30_000)
    begun = process_time()
    open_as(sniff.CSV, Upload(path, "a.csv"), ParseLimits())
    assert process_time() - begun < 3  # a tenth of a second; csv.Sniffer takes ten


@pytest.mark.parametrize("before", [b"", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"])
def test_a_header_of_a_megabyte_is_refused(opened, before) -> None:
    mail = (
        b"From: a@b.example\nSubject: s\n" + before + b"Content-Type: text/plain; " + b"a*0*=b; " * 100_000 + b"\n\nx"
    )
    with pytest.raises(TooComplex, match="headers"):
        opened(sniff.EML, mail)


def test_a_long_body_is_no_header(opened) -> None:
    mail = b"From: a@b.example\nSubject: s\n\n" + b"word " * 40_000
    assert text_of(opened(sniff.EML, mail)).count("word") == 40_000
