from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from doc_processor import containers, sniff
from doc_processor.parsers import open_as
from doc_processor.parsers.base import ParseLimits, Upload
from doc_processor.refusals import HostileMarkup, UnpacksTooLarge, Unreadable

MEDIA_TYPES = {"docx": sniff.DOCX, "xlsx": sniff.XLSX, "pptx": sniff.PPTX}
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><w>&b;</w>'


def packed(tmp_path: Path, **members: bytes) -> Path:
    path = tmp_path / "container.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_real_office_file_passes(tmp_path, samples) -> None:
    path = tmp_path / "good.docx"
    path.write_bytes(samples.docx(lambda document: document.add_paragraph("fine")))
    containers.check(path, ParseLimits())


def test_what_unpacks_to_far_more_is_refused(tmp_path) -> None:
    path = packed(tmp_path, document=bytes(300_000_000))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UnpacksTooLarge, match="300000000"):
        containers.check(path, ParseLimits())


def test_the_ratio_counts_below_the_absolute_limit(tmp_path) -> None:
    with pytest.raises(UnpacksTooLarge, match="200 times"):
        containers.check(packed(tmp_path, document=bytes(100_000_000)), ParseLimits())


def test_too_many_parts_are_refused(tmp_path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    with pytest.raises(UnpacksTooLarge, match="parts"):
        containers.check(path, ParseLimits())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_entities_are_refused_in_any_encoding(tmp_path, encoding) -> None:
    with pytest.raises(HostileMarkup):
        containers.check(packed(tmp_path, part=LAUGHS.decode().encode(encoding)), ParseLimits())


def test_a_declaration_behind_a_long_comment_is_refused(tmp_path) -> None:
    with pytest.raises(HostileMarkup):
        containers.check(packed(tmp_path, part=b"<!--" + b"x" * 70_000 + b"-->" + LAUGHS), ParseLimits())


def test_damage_is_refused(tmp_path, samples) -> None:
    data = samples.docx(lambda document: document.add_paragraph("fine"))
    for name, broken in {"cut": data[: len(data) // 2], "flipped": data[:3000] + b"\xff" * 400 + data[3400:]}.items():
        path = tmp_path / name
        path.write_bytes(broken)
        with pytest.raises(Unreadable):
            containers.check(path, ParseLimits())


def test_sizes_that_lie_are_caught(tmp_path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b"<a>" + bytes(5_000_000))
    data = out.getvalue().replace((5_000_003).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path = tmp_path / "liar.zip"
    path.write_bytes(data)
    with pytest.raises(Unreadable):
        containers.check(path, ParseLimits())


DECLARED = '<!DOCTYPE w [<!ENTITY a "ha">]><w>&a;</w>'
TRICKS = {
    "comment": f"<!-- <w> --><?xml-x <w> ?>{DECLARED}".encode(),
    "instruction": f'<?xml version="1.0"?><?x <w>?><!-- > -->{DECLARED}'.encode(),
    "long comment": b"<!--" + b"<w " * 90_000 + b"-->" + DECLARED.encode(),
    "utf-7": b'<?xml version="1.0" encoding="utf-7"?>' + DECLARED.encode("utf-7"),
    "utf-7 with a root": b'<?xml version="1.0" encoding="UTF-7"?><w>+ADwAIQ-</w>',
    "utf-32": DECLARED.encode("utf-32"),
    "utf-32-le": DECLARED.encode("utf-32-le"),
    "utf-32-be": DECLARED.encode("utf-32-be"),
    "utf-16": f"<!-- <w> -->{DECLARED}".encode("utf-16"),
    "ebcdic": f'<?xml version="1.0" encoding="cp037"?>{DECLARED}'.encode("cp037"),
    "other case": DECLARED.replace("DOCTYPE w [", 'DOCTYPE w SYSTEM "file:///etc/passwd" [').encode(),
}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize(
    ("format", "part"),
    [
        ("docx", "word/document.xml"),
        ("docx", "word/media/image.bin"),
        ("xlsx", "xl/sharedStrings.xml"),
        ("xlsx", "xl/worksheets/sheet1.xml"),
        ("pptx", "ppt/slides/slide1.xml"),
        ("pptx", "_rels/.rels"),
    ],
)
def test_no_trick_hides_a_document_type(tmp_path, trick, format, part) -> None:
    path = packed(tmp_path, **{"[Content_Types].xml": b"<Types/>", part: TRICKS[trick]})
    with pytest.raises(HostileMarkup):
        open_as(MEDIA_TYPES[format], Upload(path, f"a.{format}"), ParseLimits())


def test_pictures_and_fonts_are_no_markup(tmp_path, samples) -> None:
    containers.check(
        packed(tmp_path, **{"word/media/image1.png": samples.png("text"), "word/font.odttf": bytes(range(256))}),
        ParseLimits(),
    )
