from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from doc_processor import sniff
from doc_processor.ocr import preparation, rapid, tesseract
from doc_processor.ocr.recognition import recognise
from doc_processor.parsers import open_as
from doc_processor.parsers.base import ParseLimits, Upload
from doc_processor.refusals import ImageTooLarge, OcrUnavailable, TooManyPages, Unreadable


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def recall(expected: str, text: str) -> float:
    found = words(text)
    return sum(word in found for word in words(expected)) / len(words(expected))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 3, -6])
def test_pages_are_read_however_they_lie(samples, passage, degrees) -> None:
    picture = samples.picture(f"{passage} {passage}", size=(1700, 1300))
    page = recognise(picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255), ParseLimits())
    assert recall(passage, page.text) >= 0.95
    assert page.engine == "rapidocr"
    assert page.confidence is not None
    assert page.confidence > 0.85


@pytest.mark.parametrize("degrees", [0, 180, -6])
def test_tesseract_stands_in_where_rapidocr_is_not_installed(samples, passage, degrees, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    picture = samples.picture(f"{passage} {passage}", size=(1700, 1300))
    page = recognise(picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255), ParseLimits())
    assert recall(passage, page.text) >= 0.95
    assert page.engine == "tesseract"


def test_a_rapidocr_that_fails_is_said(samples, passage, monkeypatch) -> None:
    rapid._engine.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    page = recognise(samples.picture(passage), ParseLimits())
    assert (page.engine, [note.code for note in page.warnings]) == ("tesseract", ["ocr-fallback"])
    assert recall(passage, page.text) >= 0.95


def test_the_image_holds_all_that_rapidocr_needs() -> None:
    lock = Path(__file__).parents[2].joinpath("services/doc-processor/requirements.lock").read_text()
    for package in ("rapidocr", "onnxruntime", "opencv-python-headless"):
        assert f"\n{package}==" in lock
    assert "\nopencv-python==" not in lock


def test_rapidocr_reads_only_what_it_has_letters_for() -> None:
    assert rapid.reads("eng")
    assert rapid.reads("eng+nld+deu+chi_sim")
    assert not rapid.reads("rus")
    assert not rapid.reads("eng+ces")


def test_a_faded_receipt_with_black_borders_is_read(samples) -> None:
    receipt = samples.picture("Receipt 004417 Coffee 5.60 Lamp oil 7.25 Total 12.85", size=(560, 500), points=26)
    faded = receipt.point([205 + value * 20 // 255 for value in range(256)])
    around = Image.new("L", (1500, 1300), 6)
    around.paste(faded, (400, 380))
    noise = np.random.default_rng(1).normal(0, 5, (1300, 1500))
    page = recognise(Image.fromarray((np.asarray(around) + noise).clip(0, 255).astype(np.uint8)), ParseLimits())
    assert recall("Coffee 5.60 Lamp oil 7.25 Total 12.85", page.text) >= 0.9
    assert all(0.2 < at < 0.8 for word in page.words for at in word.box)


def test_light_text_on_a_dark_page_is_not_taken_for_paper() -> None:
    dark = Image.new("L", (800, 600), 10)
    dark.paste(250, (100, 100, 700, 110))
    assert preparation.paper(dark) == (0, 0, 800, 600)
    dark.paste(250, (200, 100, 600, 500))
    assert preparation.paper(dark) == (pytest.approx(200, abs=6), pytest.approx(100, abs=6), pytest.approx(600, abs=6), pytest.approx(500, abs=6))  # fmt: skip


def test_another_script_is_named_and_not_passed_off_as_text() -> None:
    image = Image.new("L", (1300, 800), 255)
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 34)
    for row in range(8):
        ImageDraw.Draw(image).text((80, 60 + 80 * row), "Смотритель ведёт журнал причалов в конторе", font=font, fill=0)
    page = recognise(image, ParseLimits())
    assert [note.code for note in page.warnings] == ["other-script"]
    assert "Cyrillic" in page.warnings[0].detail


def test_two_columns_are_read_one_after_the_other() -> None:
    image = Image.new("L", (1700, 900), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(34)
    draw.text((420, 60), "A heading that goes over both of the columns", font=font, fill=0)
    for row in range(12):
        draw.text((80, 150 + 55 * row), f"left column line {row} of running words", font=font, fill=0)
        draw.text((900, 150 + 55 * row), f"right column line {row} of other words", font=font, fill=0)
    lines = [line for line in recognise(image, ParseLimits()).text.split("\n") if line]
    assert lines[0].startswith("A heading")
    assert [line.split()[0] for line in lines[1:]] == ["left"] * 12 + ["right"] * 12


def test_bad_pictures_are_read(samples, passage) -> None:
    picture = samples.picture(passage)
    shade = np.linspace(1.0, 0.45, picture.width, dtype=np.float32)
    hard = {
        "small": picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.LANCZOS),
        "white on black": ImageOps.invert(picture),
        "uneven light": Image.fromarray((np.asarray(picture) * shade).astype(np.uint8)),
        "soft": picture.filter(ImageFilter.GaussianBlur(2)),
        "palette": picture.convert("P"),
        "bilevel": picture.convert("1"),
        "16 bits": Image.fromarray(np.asarray(picture).astype(np.uint16) * 200),
        "cmyk": picture.convert("RGB").convert("CMYK"),
    }
    for name, image in hard.items():
        assert recall(passage, recognise(image, ParseLimits()).text) >= 0.9, name


def test_transparent_paper_is_white(samples, passage) -> None:
    ink = Image.new("RGBA", (1700, 900), (0, 0, 0, 0))
    ink.putalpha(ImageOps.invert(samples.picture(passage)))
    assert recall(passage, recognise(ink, ParseLimits()).text) >= 0.95


def test_the_camera_says_which_side_is_up(samples, passage) -> None:
    sideways = samples.picture(passage).rotate(90, expand=True)
    sideways.getexif()[0x0112] = 6
    assert np.array_equal(np.asarray(preparation.grey(sideways)), np.asarray(samples.picture(passage)))


def test_very_large_pictures_are_shrunk_first(samples) -> None:
    large = Image.new("RGB", (9000, 12_000), "white")
    large.getexif()[0x0112] = 6
    assert preparation.grey(large).size == (6000, 4500)
    assert preparation.for_vision(large).size == (1600, 1200)


def test_a_picture_without_text_says_so() -> None:
    page = recognise(Image.new("L", (600, 400), 255), ParseLimits())
    assert page.text == ""
    assert [note.code for note in page.warnings] == ["no-text-found"]


def test_skew_is_measured(samples, passage) -> None:
    picture = samples.picture(f"{passage} {passage}", size=(1700, 1300))
    for degrees in (2.0, -4.5):
        assert preparation.skew(picture.rotate(degrees, expand=True, fillcolor=255)) == pytest.approx(-degrees, abs=0.3)
    assert preparation.skew(picture) == 0
    assert preparation.skew(Image.new("L", (300, 300), 200)) == 0


def test_too_little_time_is_a_warning_and_not_an_error(samples, passage) -> None:
    page = recognise(samples.picture(passage), ParseLimits(ocr_seconds=0.0))
    assert page.text == ""
    assert [note.code for note in page.warnings] == ["ocr-failed"]


def test_without_tesseract_it_says_what_is_missing(samples, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OcrUnavailable):
        tesseract.read(samples.picture("text"), tesseract.AUTO, "eng", 5)


def test_tesseract_is_there() -> None:
    assert shutil.which("tesseract")


# --- pictures as documents


def opened(tmp_path: Path, data: bytes, media_type: str, limits: ParseLimits | None = None):
    path = tmp_path / "upload"
    path.write_bytes(data)
    return open_as(media_type, Upload(path), limits or ParseLimits())


def test_each_frame_of_a_tiff_is_a_page(tmp_path, samples) -> None:
    document = opened(tmp_path, samples.tiff("the first frame", "the second frame"), sniff.TIFF)
    assert document.pages == 2
    assert document.page(2).wants_ocr
    assert "second" in recognise(document.render(2), ParseLimits()).text
    assert "first" in recognise(document.render(1), ParseLimits()).text
    document.close()


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", sniff.PNG), ("JPEG", sniff.JPEG), ("WEBP", sniff.WEBP)])
def test_every_picture_format_is_read(tmp_path, samples, kind, media_type) -> None:
    document = opened(tmp_path, samples.encoded(samples.picture("A sign on the boat shed"), kind), media_type)
    assert document.pages == 1
    assert "boat shed" in recognise(document.render(1), ParseLimits()).text
    document.close()


def test_bombs_are_refused_before_they_are_decoded(tmp_path) -> None:
    bomb = Image.new("1", (12_000, 12_000))
    path = tmp_path / "bomb.png"
    bomb.save(path)
    with pytest.raises(ImageTooLarge, match="12000 x 12000"):
        opened(tmp_path, path.read_bytes(), sniff.PNG)


def test_large_jpegs_are_decoded_at_a_fraction(tmp_path, samples) -> None:
    data = samples.encoded(Image.new("L", (9000, 9000), 255), "JPEG")
    document = opened(tmp_path, data, sniff.JPEG, ParseLimits(max_image_pixels=50_000_000))
    picture = document.render(1)
    assert picture.width * picture.height <= 21_000_000
    document.close()


def test_damaged_pictures_are_refused(tmp_path, samples) -> None:
    png = samples.png("A sign on the boat shed")
    for broken in (png[: len(png) // 2], png[:40], png[:60] + bytes(400) + png[460:]):
        with pytest.raises(Unreadable):
            opened(tmp_path, broken, sniff.PNG)


def test_too_many_frames_are_refused(tmp_path, samples) -> None:
    with pytest.raises(TooManyPages):
        opened(tmp_path, samples.tiff("a", "b", "c"), sniff.TIFF, ParseLimits(max_pages=2))
