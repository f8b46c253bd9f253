from __future__ import annotations

from pathlib import Path

import pytest

from doc_processor import sniff
from doc_processor.parsers.base import Upload
from doc_processor.refusals import Empty, PasswordRequired, Unreadable, Unsupported

MAIL = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: hello\r\n\r\nbody"


def kind(tmp_path: Path, data: bytes, name: str = "", declared: str = "") -> sniff.Sniffed:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return sniff.sniff(Upload(path, name, declared))


def test_every_binary_format_is_told_from_its_content(tmp_path, samples) -> None:
    picture = samples.picture("text", size=(80, 60))
    made = {
        sniff.PDF: samples.pdf("one"),
        sniff.PNG: samples.encoded(picture, "PNG"),
        sniff.JPEG: samples.encoded(picture, "JPEG"),
        sniff.TIFF: samples.encoded(picture, "TIFF"),
        sniff.WEBP: samples.encoded(picture, "WEBP"),
        sniff.DOCX: samples.docx(lambda document: None),
        sniff.PPTX: samples.pptx(("a", ["b"])),
        sniff.XLSX: samples.xlsx(one=[["a"]]),
    }
    for media_type, data in made.items():
        found = kind(tmp_path, data)
        assert found.media_type == media_type
        assert found.warnings == ()


@pytest.mark.parametrize(
    ("data", "name", "declared", "expected"),
    [
        (b"plain words", "", "", sniff.PLAIN),
        (b"plain words", "notes.md", "", sniff.MARKDOWN),
        (b"a,b\n1,2", "table.csv", "", sniff.CSV),
        (b"a,b\n1,2", "", "text/csv; charset=utf-8", sniff.CSV),
        (b"\n<!DOCTYPE html><p>hello", "", "", sniff.HTML),
        (b"<!-- a --><html><p>hello", "page", "", sniff.HTML),
        (b"<html><p>hello", "source.txt", "", sniff.PLAIN),
        (MAIL, "", "", sniff.EML),
        (MAIL, "mail.txt", "", sniff.PLAIN),
        (b"From: here to there: nothing\nis a header", "", "", sniff.PLAIN),
        (b"BM is what we call the building manager", "", "", sniff.PLAIN),
        ("wide text".encode("utf-16"), "", "", sniff.PLAIN),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello", "", "", sniff.VTT),
        (b"1\r\n00:00:00,000 --> 00:00:01,000\r\nHello", "talk.txt", "", sniff.SRT),
        (b"0:00:00.000,0:00:01.000\nHello", "talk.sbv", "", sniff.SRT),
    ],
)
def test_text_formats_are_told_apart_by_name_then_content(tmp_path, data, name, declared, expected) -> None:
    assert kind(tmp_path, data, name, declared).media_type == expected


def test_a_wrong_name_is_a_warning(tmp_path, samples) -> None:
    found = kind(tmp_path, samples.encoded(samples.picture("x", size=(80, 60)), "PNG"), "letter.PDF")
    assert found.media_type == sniff.PNG
    assert [note.code for note in found.warnings] == ["type-mismatch"]


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (b"", "empty.txt", Empty),
        (b"GIF89a" + bytes(20), "moving.gif", Unsupported),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "program", Unsupported),
        (b"PK\x03\x04 not a zip", "a.docx", Unreadable),
        (b"just words", "report.pdf", Unreadable),
        (bytes(range(256)) * 4, "what.bin", Unsupported),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old.doc", Unsupported),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "a.docx", PasswordRequired),
    ],
)
def test_what_is_not_read_is_refused_by_type(tmp_path, data, name, error) -> None:
    with pytest.raises(error):
        kind(tmp_path, data, name)


def test_a_zip_of_something_else_is_refused(tmp_path, samples) -> None:
    other = samples.rezipped(samples.xlsx(one=[["a"]]), {})
    stripped = other.replace(b"xl/", b"yy/")
    with pytest.raises(Unsupported, match="zip"):
        kind(tmp_path, stripped)


def test_comments_before_a_page_do_not_keep_a_worker_busy(tmp_path) -> None:
    comments = b"<!---->" * 40
    assert kind(tmp_path, comments + b"x").media_type == sniff.PLAIN
    assert kind(tmp_path, b"<?xml version='1.0'?>\n" + comments + b" <!DOCTYPE  html>").media_type == sniff.HTML
    assert kind(tmp_path, b"<!-- no end <html>").media_type == sniff.PLAIN
