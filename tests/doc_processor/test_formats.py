"""OpenDocument, RTF, EPUB, JSON, source code, and Office files before 2007."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from doc_processor import sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import Opened, ParseLimits, Upload
from doc_processor.refusals import PasswordRequired, TooComplex, Unreadable, Unsupported

OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
SPACES = " ".join(
    f'xmlns:{short}="{OASIS}{name}:1.0"'
    for short, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"), ("meta", "meta"),
        ("presentation", "presentation"), ("fo", "xsl-fo-compatible"),
    )
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip


@pytest.fixture
def opened(tmp_path: Path):
    def open_bytes(data: bytes, name: str = "") -> Opened:
        path = tmp_path / "upload"
        path.write_bytes(data)
        upload = Upload(path, name)
        return open_as(sniff.sniff(upload).media_type, upload, ParseLimits())

    return open_bytes


def text_of(document: Opened) -> str:
    return "\n=====\n".join(document.page(number).text for number in range(1, document.pages + 1))


def zipped(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def odf(kind: str, body: str, *, automatic: str = "", master: str = "", meta: str = "", **more: str) -> bytes:
    content = (
        f"<office:document-content {SPACES}><office:automatic-styles>{automatic}</office:automatic-styles><office:body>"
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    return zipped({
        "mimetype": f"{OASIS}x" if kind == "none" else f"application/vnd.oasis.opendocument.{kind}", "content.xml": content,
        "styles.xml": f"<office:document-styles {SPACES}><office:master-styles>{master}</office:master-styles></office:document-styles>",
        "meta.xml": f"<office:document-meta {SPACES}><office:meta>{meta}</office:meta></office:document-meta>", **more,
    })  # fmt: skip


def test_odt(opened) -> None:
    body = """<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region>
    </text:tracked-changes><text:h text:outline-level="1">The contract</text:h><text:p>Seals<text:s text:c="2"/>are replaced
    <text:span>every</text:span> 18 months.<text:note><text:note-body><text:p>Or sooner.</text:p></text:note-body></text:note>
    <office:annotation><dc:creator>Anna</dc:creator><text:p>Which seals?</text:p></office:annotation>
    <text:span text:style-name="T1">unseen words</text:span></text:p><text:list text:style-name="L1"><text:list-item>
    <text:p>one</text:p><text:list><text:list-item><text:p>deeper</text:p></text:list-item></text:list></text:list-item>
    <text:list-item><text:p>two</text:p></text:list-item></text:list><table:table><table:table-row><table:table-cell
    table:number-columns-spanned="2"><text:p>Hours</text:p></table:table-cell><table:covered-table-cell/></table:table-row>
    <table:table-row><table:table-cell><text:p>Day</text:p></table:table-cell><table:table-cell><text:p>Night</text:p>
    </table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>7</text:p></table:table-cell>
    <table:table-cell><text:p>8</text:p></table:table-cell></table:table-row></table:table><text:p text:style-name="P1">Second
    page<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame><draw:frame><draw:image/></draw:frame>
    </text:p>"""
    automatic = """<style:style style:name="T1"><style:text-properties text:display="none"/></style:style><style:style
    style:name="P1"><style:paragraph-properties fo:break-before="page"/></style:style><text:list-style style:name="L1">
    <text:list-level-style-number text:level="1"/></text:list-style>"""
    master = """<style:master-page><style:header><text:p>Contract KX-2291</text:p></style:header><style:footer><text:p>Page 1
    </text:p></style:footer></style:master-page>"""
    meta = "<dc:title>A title</dc:title><meta:initial-creator>Bo</meta:initial-creator><dc:language>en-GB</dc:language>"
    document = opened(odf("text", body, automatic=automatic, master=master, meta=meta))
    text = text_of(document)
    for said in (
        "Header: Contract KX-2291", "# The contract", "every 18 months.", "Or sooner.", "Comment (Anna): Which seals?",
        "1. one\n   1. deeper\n2. two", "| Hours / Day | Hours / Night |\n| --- | --- |\n| 7 | 8 |", "In a box",
    ):  # fmt: skip
        assert said in text
    assert "gone" not in text
    assert "unseen" not in text
    assert "Page 1" not in text
    assert document.pages == 2
    assert [note.code for note in document.warnings] == ["deletions-left-out", "pictures-not-read", "hidden-text"]
    found = document.properties
    assert (found.title, found.author, found.language) == ("The contract", "Bo", "en-GB")


def test_ods(opened) -> None:
    def cell(text: str, more: str = "") -> str:
        return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"

    rows = [
        cell("Region") + cell("Price"),
        cell("North", 'table:number-rows-spanned="2"') + cell("1.234,50 €"),
        '<table:covered-table-cell/><table:table-cell office:value="0.075"><office:annotation><dc:creator>Anna</dc:creator>'
        "<text:p>Old</text:p></office:annotation><text:p>7,5 %</text:p></table:table-cell>",
    ]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    body += '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    body += f'<table:table-row table:visibility="collapse">{cell("South")}{cell("9")}</table:table-row>'
    document = opened(odf("spreadsheet", f'<table:table table:name="Prices">{body}</table:table>'))
    page = document.page(1)
    assert page.text == (
        "# Prices\n\n| Region | Price |\n| --- | --- |\n| North | 1.234,50 € |\n| North | 7,5 % |\n| South | 9 |\n\n"
        "Comments:\n\n- Comment (Anna): Old"
    )
    assert page.label == "Prices"
    assert [note.code for note in page.warnings] == ["hidden-rows"]


def test_odp(opened) -> None:
    body = """<draw:page><draw:frame><draw:text-box><text:p>Order it</text:p></draw:text-box></draw:frame><draw:frame
    presentation:class="title"><draw:text-box><text:p>The seal</text:p></draw:text-box></draw:frame><draw:g><draw:custom-shape>
    <text:p>In a group</text:p></draw:custom-shape></draw:g><presentation:notes><draw:frame><draw:text-box><text:p>Say why</text:p>
    </draw:text-box></draw:frame></presentation:notes></draw:page><draw:page><draw:frame><draw:text-box><text:p>Next</text:p>
    </draw:text-box></draw:frame></draw:page>"""
    document = opened(odf("presentation", body))
    assert document.page(1).text == "# The seal\n\nOrder it\n\nIn a group\n\n## Speaker notes\n\nSay why"
    assert document.page(2).text == "Next"
    assert document.properties.title == "The seal"


def test_open_documents_that_are_encrypted_or_damaged_are_refused(opened) -> None:
    manifest = '<manifest xmlns="x"><encryption-data/></manifest>'
    with pytest.raises(PasswordRequired):
        opened(odf("text", "<text:p>a</text:p>", **{"META-INF/manifest.xml": manifest}))
    with pytest.raises(Unreadable):
        opened(zipped({"mimetype": sniff.ODT, "styles.xml": "<a/>"}))


RTF = rb"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial;}}{\stylesheet{\s1 heading 1;}}
{\info{\title The rota}{\author Anna}}{\header Rota KX-7\par}{\footer Page \chpgn\par}
\pard\outlinelevel0 Spring\par\pard Gr\'fc\'dfe \u8364?5 \f1\'ca\'eb\'fe\'f7\f0  {\b bold}\line next{\v unseen words}{\deleted gone}\par
\trowd\cellx1\cellx2\pard\intbl Pump\cell Hall\cell\row\trowd\intbl P1\cell one\par two\cell\row
\pard After{\footnote A note}{\*\unknown secret}{\pict 00ff}\par\page Second\par}"""


def test_rtf(opened) -> None:
    document = opened(RTF)
    text = text_of(document)
    assert text.startswith("Header: Rota KX-7\n\n# Spring\n\nGrüße €5 Ключ bold\nnext")
    assert "| Pump | Hall |\n| --- | --- |\n| P1 | one two |\n\nAfter" in text
    assert "\n=====\nSecond\n\nA note" in text
    for left_out in ("unseen", "gone", "secret", "00ff", "Arial", "Page"):
        assert left_out not in text
    assert {note.code for note in document.warnings} == {"hidden-text", "deletions-left-out", "pictures-not-read"}
    assert (document.properties.title, document.properties.author) == ("Spring", "Anna")


def test_rtf_that_is_nested_without_end_is_refused(opened) -> None:
    with pytest.raises(TooComplex):
        opened(b"{\\rtf1 " + b"{" * 100_000)


def test_epub(opened) -> None:
    package = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>
    <dc:title>The harbour</dc:title><dc:creator>Anna</dc:creator><dc:language>en</dc:language></metadata><manifest>
    <item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/><item id="a" href="one.xhtml"
    media-type="application/xhtml+xml"/><item id="p" href="p.png" media-type="image/png"/></manifest><spine><itemref idref="a"/>
    <itemref idref="b"/></spine></package>"""
    chapter = "<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.1//EN' 'http://www.w3.org/x.dtd'><html><head><title>t</title></head><body>{}</body></html>"
    document = opened(zipped({
        "mimetype": sniff.EPUB, "META-INF/container.xml": '<container><rootfiles><rootfile full-path="o/p.opf"/></rootfiles></container>',
        "o/p.opf": package, "o/one.xhtml": chapter.format("<h1>One</h1><p>First words.</p>"),
        "o/two b.xhtml": chapter.format("<p>Second words.</p>"), "o/p.png": "x",
    }))  # fmt: skip
    assert text_of(document) == "# One\n\nFirst words.\n=====\nSecond words."
    assert (document.properties.title, document.properties.author) == ("The harbour", "Anna")
    assert [note.code for note in document.warnings] == ["pictures-not-read"]


def test_json_records_are_a_table_and_other_values_lines(opened) -> None:
    records = [{"pump": "P1", "hours": 1200.50, "ok": True}, {"pump": "P2", "hours": 900, "ok": None}]
    table = "| pump | hours | ok |\n| --- | --- | --- |\n| P1 | 1200.5 | true |\n| P2 | 900 |  |"
    assert text_of(opened(json.dumps(records).encode(), "a.json")) == table
    assert text_of(opened("\n".join(map(json.dumps, records)).encode(), "a.jsonl")) == table
    nested = text_of(opened(json.dumps({"plant": "East", "pumps": [{"id": "P1"}, {"id": "P2"}]}).encode(), "a.json"))
    assert "- plant: East" in nested
    assert "- id: P2" in nested
    broken = opened(b'{"a": 1,', "a.json")
    assert broken.page(1).text == '{"a": 1,'
    assert [note.code for note in broken.warnings] == ["damaged-json"]


@pytest.mark.parametrize("data", [b"[" * 100_000, b"{}", b"[]", b'{"a":' * 50_000, b"null", b"1e999999999"])
def test_odd_json_is_read_or_refused(opened, data) -> None:
    assert opened(data, "a.json").pages == 1


def test_source_code_stays_as_it_is(opened) -> None:
    code = "# a comment\ndef f():\n    return 1"
    page = opened(code.encode(), "tool.py").page(1)
    assert (page.text, page.engine) == (code, "source-code")


def old(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + f"{stream}\0".encode("utf-16-le") + bytes(512)


def test_files_of_old_offices_are_refused_with_what_to_do(opened, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unsupported, match=r"LibreOffice.*DOCX"):
        opened(old("WordDocument"), "a.doc")


def test_files_of_old_offices_are_converted_where_libreoffice_is(opened, samples, tmp_path, monkeypatch) -> None:
    made = tmp_path / "made.xlsx"
    made.write_bytes(samples.xlsx(Stock=[["rope", 7]]))
    program = tmp_path / "bin" / "soffice"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nwhile [ "$1" != --outdir ]; do shift; done\ncp {made} "$2/upload.xlsx"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    document = opened(old("Workbook"), "a.xls")
    assert "| rope | 7 |" in document.page(1).text
    document.close()
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Unreadable, match="LibreOffice"):
        opened(old("PowerPoint Document"), "a.ppt")
