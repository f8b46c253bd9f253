from __future__ import annotations

import ctypes
import io
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from reportlab.pdfgen.canvas import Canvas

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import ParseLimits, Renderable, Upload
from doc_processor.parsers.pdf_text import laid_out, trusted
from doc_processor.refusals import NoPages, PasswordRequired, TooManyPages, Unreadable

NO_PAGES = (
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n"
    b"trailer\n<< /Root 1 0 R /Size 3 >>\n%%EOF\n"
)


@pytest.fixture
def opened(tmp_path: Path):
    documents = []

    def open_bytes(data: bytes, limits: ParseLimits | None = None):
        path = tmp_path / "upload"
        path.write_bytes(data)
        documents.append(open_as(sniff.PDF, Upload(path), limits or ParseLimits()))
        return documents[-1]

    yield open_bytes
    for document in documents:
        document.close()


def test_a_good_text_layer_needs_no_ocr(opened, samples, passage) -> None:
    document = opened(samples.pdf(passage, "The second page has enough words of its own to be believed. " * 3))
    assert document.pages == 2
    page = document.page(1)
    assert " ".join(page.text.split()) == passage
    assert (page.engine, page.wants_ocr) == ("text-layer", False)
    assert document.page(2).text.startswith("The second page")


def test_a_scan_asks_for_ocr(opened, samples, passage) -> None:
    document = opened(samples.scanned_pdf(samples.picture(passage)))
    assert document.page(1).wants_ocr
    assert isinstance(document, Renderable)
    picture = document.render(1)
    assert picture.mode == "L"
    assert picture.width > 2000


def test_an_empty_page_asks_for_nothing(opened, samples) -> None:
    page = opened(samples.pdf("")).page(1)
    assert (page.text, page.wants_ocr) == ("", False)


def test_an_owner_password_alone_is_no_hindrance(opened, samples, passage) -> None:
    document = opened(samples.pdf(passage, owner_password="owner"))
    assert " ".join(document.page(1).text.split()) == passage


def test_a_user_password_is_asked_for(opened, samples) -> None:
    with pytest.raises(PasswordRequired):
        opened(samples.pdf("secret", user_password="user", owner_password="owner"))


def test_bad_files_are_refused_by_type(opened, samples) -> None:
    with pytest.raises(NoPages):
        opened(NO_PAGES)
    with pytest.raises(Unreadable):
        opened(b"%PDF-1.7\nnothing of the kind")
    with pytest.raises(TooManyPages, match="3 pages; at most 2"):
        opened(samples.pdf("a", "b", "c"), ParseLimits(max_pages=2))


def test_what_was_filled_in_is_read(opened, samples) -> None:
    page = opened(samples.form()).page(1)
    assert page.text.splitlines()[2:] == ["Owner: Tjalling Roorda", "", "Insured: yes", "", "Seen by the office"]
    assert not page.wants_ocr


def test_huge_pages_are_rendered_small(opened, samples) -> None:
    data = samples.scanned_pdf(samples.picture("text", size=(400, 300)))
    data = data.replace(b"/MediaBox [ 0 0 144.0 108.0 ]", b"/MediaBox [ 0 0 14400 10800 ]")
    picture = opened(data).render(1)
    assert picture.width * picture.height < 20_000_000


class Layer:
    """Lines of text at given heights, top to bottom."""

    def __init__(self, raw: str, tops: list[float]) -> None:
        self._raw, self._tops = raw, tops

    def count_chars(self) -> int:
        return len(self._raw)

    def get_charbox(self, index: int, loose: bool = False) -> tuple[float, float, float, float]:
        top = self._tops[self._raw[:index].count("\n")]
        return 0, top - 10, 5, top


def test_wide_gaps_part_paragraphs() -> None:
    raw = "one\r\ntwo\r\nthree\r\nfour\r\nfive"
    assert laid_out(Layer(raw, [700, 686, 650, 636, 622]), raw) == "one\r\ntwo\r\n\nthree\r\nfour\r\nfive"


def test_broken_words_are_joined() -> None:
    raw = "water\ufffe\r\nproof and air\x02\r\ntight"
    assert laid_out(Layer(raw, [700, 686, 672]), raw) == "waterproof and airtight"


@pytest.mark.parametrize(
    ("raw", "covered", "drawn", "good"),
    [
        ("", 0.0, False, True),
        ("", 0.9, True, False),
        ("A proper sentence of quite ordinary words. " * 5, 0.0, True, True),
        ("A proper sentence of quite ordinary words. " * 5, 1.0, True, True),
        ("Page 7", 0.0, True, True),
        ("Scanned by the office", 0.95, True, False),
        ("\ufffd\ufffd\ufffd\ufffd a \ufffd\ufffd", 0.0, True, False),
        ("\ue001\ue002\ue003 some \ue004\ue005", 0.0, True, False),
        ("T h e l e t t e r s s t a n d a l l a l o n e h e r e", 0.0, True, False),
        ("يمكن معالجة كميات هائلة من البيانات", 0.0, True, True),
    ],
)
def test_what_is_a_good_text_layer(raw, covered, drawn, good) -> None:
    assert trusted(raw, covered, drawn=drawn) is good


def test_notes_highlights_and_stamps_are_read(opened) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.drawString(72, 700, "The seal of pump two is replaced every eighteen months.")
    canvas.textAnnotation("Ask Ferdinand first", Rect=(300, 600, 320, 620))
    quads = [72, 712, 160, 712, 72, 697, 160, 697]
    canvas.highlightAnnotation("Which seal?", Rect=(72, 697, 160, 712), QuadPoints=quads)
    canvas.save()
    text = opened(out.getvalue()).page(1).text
    assert "Note: Ask Ferdinand first" in text
    assert "Note on “The seal of pump" in text
    assert text.endswith("”: Which seal?")


def with_attached(data: bytes, **files: bytes) -> bytes:
    document = pdfium.PdfDocument(data)
    for name, content in files.items():
        document.new_attachment(name.replace("_", ".")).set_data(content)
    out = io.BytesIO()
    document.save(out)
    document.close()
    return out.getvalue()


def test_attached_documents_are_further_pages(opened, samples) -> None:
    inner = with_attached(samples.pdf("A page of the annex."), deep_txt=b"In the annex of the annex.")
    stock = samples.xlsx(Stock=[["rope", 7]])
    data = samples.pdf("The first page.", "The second page.")
    document = opened(
        with_attached(
            data, annex_pdf=inner, photo_png=samples.png("a"), stock_xlsx=stock, odd_bin=b"\0\1", a_py=b"import os"
        )
    )
    pages = [document.page(number) for number in range(1, document.pages + 1)]
    assert [page.label for page in pages] == ["", "", "annex.pdf", "annex.pdf: deep.txt", "stock.xlsx: Stock"]
    assert pages[1].text == "The second page."
    assert "A page of the annex." in pages[2].text
    assert "In the annex of the annex." in pages[3].text
    assert "| rope | 7 |" in pages[4].text
    assert [note.code for note in document.warnings] == ["attachment-not-read"] * 3
    said = " ".join(note.detail for note in document.warnings)
    assert "photo.png: attached pictures" in said
    assert "a.py: attached pictures and code" in said
    assert "odd.bin" in said
    assert document.own_pages == 2
    assert document.view(3, 400).image.width == 400
    document.close()


def test_a_file_that_is_attached_to_a_place_on_a_page_is_named(opened, samples) -> None:
    document = pdfium.PdfDocument(samples.pdf("The first page.", "The second page."))
    page = document[1]
    annotation = pdfium_c.FPDFPage_CreateAnnot(page, pdfium_c.FPDF_ANNOT_FILEATTACHMENT)
    name = ctypes.cast(
        ctypes.create_string_buffer("quotes.xlsx".encode("utf-16-le") + b"\0\0"), ctypes.POINTER(ctypes.c_ushort)
    )
    file = pdfium_c.FPDFAnnot_AddFileAttachment(annotation, name)
    assert pdfium_c.FPDFAttachment_SetFile(file, document, (ctypes.c_char * 4)(*b"PK\3\4"), 4)
    pdfium_c.FPDFPage_CloseAnnot(annotation)
    page.close()
    out = io.BytesIO()
    document.save(out)
    document.close()
    read = opened(out.getvalue())
    assert [note.code for note in read.page(1).warnings] == []
    (note,) = read.page(2).warnings
    assert (note.code, note.detail) == (
        "attachment-not-read", "the file on the page, quotes.xlsx, was not read: add it by itself"
    )  # fmt: skip


def test_attachments_are_read_to_a_bounded_depth(opened, samples) -> None:
    data = samples.pdf("Level 0.")
    for level in range(1, 8):
        data = with_attached(samples.pdf(f"Level {level}."), inner_pdf=data)
    document = opened(data)
    text = "\n".join(document.page(number).text for number in range(1, document.pages + 1))
    assert [level for level in range(8) if f"Level {level}." in text] == [4, 5, 6, 7]
    assert "nested too deeply" in " ".join(note.detail for note in document.warnings)
    document.close()


def test_layers_are_named(opened, samples) -> None:
    data = samples.pdf("The first page has words.")
    layered = data.replace(b"/Type /Catalog", b"/OCProperties << /OCGs [] /D << /OFF [ 9 0 R ] >> >> /Type /Catalog")
    (note,) = opened(layered).warnings
    assert note.code == "layers"
    assert "hidden" in note.detail


@pytest.mark.parametrize(
    ("said", "large", "title"),
    [
        ("", "The handbook of pumps", "The handbook of pumps"),
        ("Microsoft Word - draft7.docx", "The handbook of pumps", "The handbook of pumps"),
        ("Another document altogether", "The handbook of pumps", "The handbook of pumps"),
        ("The handbook of pumps", "Edition for Brightwell", "The handbook of pumps"),
        ("Rules of the house", "", "Rules of the house"),
        ("", "12 March 2026", ""),
        ("untitled", "", ""),
    ],
)
def test_the_title_is_what_a_reader_takes_for_it(opened, said, large, title) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setTitle(said)
    canvas.setAuthor("Anna")
    canvas.setFont("Helvetica", 24)
    canvas.drawString(72, 750, large)
    canvas.setFont("Helvetica", 10)
    for number in range(8):
        canvas.drawString(72, 700 - 14 * number, "What the handbook of pumps says stands in lines such as this one.")
    canvas.save()
    found = opened(out.getvalue()).properties
    assert (found.title, found.author) == (title, "Anna")
    assert found.created.startswith("2000-01-01")
