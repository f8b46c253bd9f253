"""Pages as people see them: the words are found at their true places on the picture."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable
from typing import Any

import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont
from prometheus_client import CollectorRegistry
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from doc_processor.metrics import PageMetrics
from doc_processor.ocr.placement import Placed
from doc_processor.page_reader import PageReader, UploadedFile
from doc_processor.processor import Processor
from harness.boxes import Box, overlap

WORDS = ("The", "harbour", "crane", "lifts", "4,200", "kilograms", "until", "Friday", "evening.")
_WIDTH, _HEIGHT, _SIZE = 595.0, 842.0, 24


def written() -> tuple[bytes, dict[str, Box]]:
    """Make a PDF, and say where its words stand, in shares of the page."""
    file, places = io.BytesIO(), dict[str, Box]()
    canvas = Canvas(file, (_WIDTH, _HEIGHT))
    canvas.setFont("Helvetica", _SIZE)
    for number, word in enumerate(WORDS):
        x, y = 60 + 150 * (number % 3), 700 - 120 * (number // 3)
        canvas.drawString(x, y, word)
        top, bottom = y + 0.72 * _SIZE, y - 0.21 * _SIZE
        width = stringWidth(word, "Helvetica", _SIZE)
        places[word] = (x / _WIDTH, 1 - top / _HEIGHT, (x + width) / _WIDTH, 1 - bottom / _HEIGHT)
    canvas.save()
    return file.getvalue(), places


def changed(pdf: bytes, change: Callable[[Any], object]) -> bytes:
    document, file = pdfium.PdfDocument(pdf), io.BytesIO()
    change(document[0])
    document.save(file)
    return file.getvalue()


def quarter_turned(box: Box) -> Box:
    """Where a box is after the page was turned clockwise by 90 degrees."""
    return 1 - box[3], box[0], 1 - box[1], box[2]


def cropped(box: Box) -> Box:
    left, top, right, bottom = box
    return (
        (left * _WIDTH - 30) / (_WIDTH - 60),
        (top * _HEIGHT - 80) / (_HEIGHT - 180),
        (right * _WIDTH - 30) / (_WIDTH - 60),
        (bottom * _HEIGHT - 80) / (_HEIGHT - 180),
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param(lambda page: None, lambda box: box, id="plain"),
        pytest.param(lambda page: page.set_rotation(90), quarter_turned, id="rotated"),
        pytest.param(lambda page: page.set_cropbox(30, 100, _WIDTH - 30, _HEIGHT - 80), cropped, id="cropped"),
    ],
)
async def test_words_of_a_text_layer(client, change: Callable[[Any], object], place: Callable[[Box], Box]) -> None:
    pdf, places = written()
    reply = await client.post("/v1/view", params={"width": 800}, files={"file": ("a.pdf", changed(pdf, change))})
    assert reply.status_code == 200, reply.text
    view = reply.json()
    picture = Image.open(io.BytesIO(base64.b64decode(view["picture"])))
    assert (picture.format, picture.size) == ("JPEG", (view["width"], view["height"]))
    found = {word["text"]: word["box"] for word in view["words"]}
    assert list(found) == list(WORDS)
    assert min(overlap(found[word], place(places[word])) for word in WORDS) >= 0.5
    # What is drawn there is dark, so the boxes lie on the picture and not only on each other.
    for box in found.values():
        left, top, right, bottom = (share * side for share, side in zip(box, picture.size * 2, strict=True))
        assert picture.convert("L").crop((int(left), int(top), int(right), int(bottom))).getextrema()[0] < 100


def scan() -> tuple[Image.Image, dict[str, Box]]:
    image, places = Image.new("L", (1700, 1100), 255), dict[str, Box]()
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(44)
    x, y = 150.0, 150.0
    for word in WORDS * 8:
        if x > 1300:
            x, y = 150.0, y + 90
        box = draw.textbbox((x, y), word, font=font)
        draw.text((x, y), word, font=font, fill=0)
        places.setdefault(f"{word} {len(places)}", box)
        x = box[2] + 28
    return image, places


@pytest.mark.parametrize(("turn", "upright"), [(0, 0), (3, 0), (-4, 0), (90, 90), (180, 180)])
async def test_words_of_a_scan(client, turn: int, upright: int) -> None:
    """The picture is what was sent, however it was turned for reading; boxes lie on that."""
    image, places = scan()
    turned = image.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    truth = Placed.whole(turned).turned(image, -turn)
    file = io.BytesIO()
    turned.save(file, "PNG")
    reply = await client.post("/v1/process", files={"file": ("a.png", file.getvalue())})
    page = reply.json()["pages"][0]
    assert page["engine"] == "rapidocr"
    found = [(word["text"], word["box"]) for word in page["words"]]
    assert len(found) >= 0.95 * len(places)
    right = 0
    for name, box in places.items():
        true_box = truth.box(box)
        near = [place for text, place in found if text == name.split()[0]]
        # A box is as high as its line, so higher than a word of small letters.
        right += max((overlap(true_box, place) for place in near), default=0.0) >= 0.4
    assert right >= 0.9 * len(places)


async def test_what_has_no_picture(client) -> None:
    for name, data, status, kind in (
        ("a.txt", b"plain words", 422, "no-picture"),
        ("a.pdf", written()[0], 422, "unreadable-document"),
    ):
        reply = await client.post("/v1/view", params={"page": 2}, files={"file": (name, data)})
        assert (reply.status_code, reply.json()["type"].rsplit(":", 1)[-1]) == (status, kind)


async def test_a_view_does_not_wait_behind_pages_that_are_read(make_pool, samples, tmp_path) -> None:
    """All slots are held, and more pages wait, for the very reader who now looks at a page."""
    pool = make_pool(size=2)
    processor = Processor(pool, PageReader(pool, None, 0.6), None, PageMetrics(CollectorRegistry()), tmp_path, 60)
    scan = tmp_path / "scan"
    scan.write_bytes(samples.scanned_pdf(*[samples.picture("A page that takes its time")] * 8))
    reading = UploadedFile(scan, "scan.pdf", "", "application/pdf", "team")
    pages = [asyncio.create_task(pool.run(reading.task("ocr", number=number), "team")) for number in range(1, 9)]
    looked_at = tmp_path / "looked-at"
    looked_at.mkdir()
    (looked_at / "upload").write_bytes(samples.pdf("Somebody looks at this."))
    view = await processor.view(UploadedFile(looked_at / "upload", "a.pdf", "", owner="team"), 1, 400)
    assert view.width == 400
    assert not pages[-1].done()
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
