"""Pictures within documents, described by a vision engine on a real socket."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from docx import Document
from docx.shared import Inches
from PIL import Image, ImageDraw
from pptx import Presentation
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from doc_processor.app import create
from engines import OllamaEngine
from harness.ports import free_port
from llm_providers import get_provider
from llm_providers.settings import OllamaSettings, ProviderSettings, SelectionSettings
from llm_providers.types import Role
from service_kit.app import SharedParts
from service_kit.durable import Durable
from service_kit.metrics import Metrics

SAID = "A bar chart of moorings by year. It rises from 12 to 40 [sic]."
MARKED = "[figure: A bar chart of moorings by year; It rises from 12 to 40 (sic)]"
Started = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def engine() -> Iterator[OllamaEngine]:
    with OllamaEngine(answer=lambda _: SAID, context=100_000) as running:
        yield running


@pytest.fixture
def start(settings, serve, engine, tmp_path: Path) -> Started:
    @asynccontextmanager
    async def started(url: str = "", **changes: object) -> AsyncGenerator[httpx2.AsyncClient, None]:
        chosen = ProviderSettings(
            selection=SelectionSettings(llm_provider="ollama"), ollama=OllamaSettings(url=url or engine.url)
        )
        async with get_provider(chosen, roles={Role.VISION}) as providers:
            shared = SharedParts(providers, Durable.sqlite(tmp_path / "jobs.db"), Metrics())
            async with (
                serve(create(settings.model_copy(update=changes), shared)) as address,
                httpx2.AsyncClient(base_url=address, timeout=60) as http,
            ):
                yield http

    return started


def chart(shade: int = 90, size: tuple[int, int] = (400, 300)) -> bytes:
    image = Image.new("RGB", size, "white")
    for bar in range(4):
        ImageDraw.Draw(image).rectangle((40 + 80 * bar, 250 - 50 * bar, 90 + 80 * bar, 280), fill=(shade, 40, 200))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pdf(*figures: int) -> bytes:
    """Make a page for each number, with as many charts on it."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for page, count in enumerate(figures, 1):
        canvas.drawString(72, 780, f"Moorings have grown since the harbour opened; see the figures of page {page}.")
        for at in range(count):
            picture = ImageReader(io.BytesIO(chart(20 * page + at)))
            canvas.drawImage(picture, 72, 560 - 180 * at, width=220, height=165)
        canvas.drawImage(ImageReader(io.BytesIO(chart(7, (300, 300)))), 500, 30, width=20, height=20)  # a logo
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def docx() -> bytes:
    document = Document()
    document.add_paragraph("The first page has a chart.")
    document.add_picture(io.BytesIO(chart()), width=Inches(3))
    document.add_picture(io.BytesIO(chart(5, (20, 20))))
    document.add_page_break()
    document.add_paragraph("The second page has another.")
    document.add_picture(io.BytesIO(chart(120)), width=Inches(3))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pptx() -> bytes:
    presentation = Presentation()
    for title in ("Moorings", "Planks"):
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = title
        slide.shapes.add_picture(io.BytesIO(chart(len(title))), 0, 2_000_000)
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def drawn(*draw: Callable[[Canvas], None]) -> bytes:
    """Make a PDF with a page for each drawing."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for each in draw:
        canvas.drawString(72, 780, "Moorings have grown since the harbour opened; the drawing below shows how.")
        each(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def bars(canvas: Canvas) -> None:
    canvas.line(90, 400, 350, 400)
    for at, height in enumerate((40, 90, 140, 120)):
        canvas.rect(100 + 60 * at, 400, 30, height, fill=1)


def steps(canvas: Canvas) -> None:
    for at in range(3):
        canvas.rect(100, 600 - 90 * at, 120, 50)
        canvas.line(160, 600 - 90 * at, 160, 560 - 90 * at)
        head = canvas.beginPath()
        head.moveTo(155, 568 - 90 * at)
        head.lineTo(165, 568 - 90 * at)
        head.lineTo(160, 560 - 90 * at)
        head.close()
        canvas.drawPath(head, fill=1)


def curve(canvas: Canvas) -> None:
    canvas.line(100, 300, 400, 300)
    path = canvas.beginPath()
    path.moveTo(100, 310)
    for at in range(20):
        path.lineTo(100 + 15 * at, 310 + at * 37 % 150)
    canvas.drawPath(path)


def embedded(canvas: Canvas) -> None:
    canvas.beginForm("curve")
    curve(canvas)
    canvas.endForm()
    canvas.translate(50, 100)
    canvas.scale(0.7, 0.7)
    canvas.doForm("curve")


def table(canvas: Canvas) -> None:
    for row in range(8):
        canvas.setFillGray(0.9 if row % 2 else 1)
        canvas.rect(72, 600 - 20 * row, 400, 20, fill=1, stroke=0)
        for column in range(4):
            canvas.rect(72 + 100 * column, 600 - 20 * row, 100, 20)


def notes(canvas: Canvas) -> None:
    for at in range(2):
        canvas.roundRect(72, 500 - 120 * at, 400, 100, 8)


async def read(http: httpx2.AsyncClient, data: bytes, query: str = "") -> dict:
    reply = await http.post(f"/v1/process{query}", files={"file": ("document", data)})
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("make", [lambda: pdf(1, 1), docx, pptx], ids=["pdf", "docx", "pptx"])
async def test_figures_are_described_and_marked(start, engine, make) -> None:
    async with start() as http:
        answer = await read(http, make())
    assert len(answer["pages"]) == 2
    for page in answer["pages"]:
        assert page["text"].endswith(f"\n\n{MARKED}")
        assert page["text"].count("[figure: ") == 1
        assert any(warning.startswith("figures-described: ") for warning in page["warnings"])
    assert len(engine.requests("/api/chat")) == 2
    assert engine.requests("/api/chat")[0].body["messages"][-1]["images"]


async def test_drawings_are_described(start, engine) -> None:
    async with start() as http:
        answer = await read(http, drawn(bars, steps, curve, embedded))
    assert [page["text"].count(MARKED) for page in answer["pages"]] == [1, 1, 1, 1]
    sent = [request.body["messages"][-1]["images"][0] for request in engine.requests("/api/chat")]
    for picture in map(Image.open, map(io.BytesIO, map(base64.b64decode, sent))):
        assert 200 < picture.width < 900
        assert picture.convert("L").getextrema()[0] < 80, "the drawing is on it"


async def test_tables_and_boxes_are_no_drawings(start, engine) -> None:
    async with start() as http:
        answer = await read(http, drawn(table, notes))
    assert engine.requests("/api/chat") == []
    assert [page["warnings"] for page in answer["pages"]] == [[], []]


async def test_without_the_role_pictures_and_drawings_are_named(client) -> None:
    answer = await read(client, drawn(bars, table))
    named = ["pictures-not-read: 1 pictures on the page were not read"]
    assert [page["warnings"] for page in answer["pages"]] == [named, []]
    answer = await read(client, pdf(2))
    assert answer["pages"][0]["warnings"] == ["pictures-not-read: 2 pictures on the page were not read"]


async def test_what_is_too_small_is_still_named(start) -> None:
    async with start() as http:
        answer = await read(http, docx())
    assert [warning.split(":")[0] for warning in answer["document"]["warnings"]] == ["pictures-not-read"]
    assert "1 pictures" in answer["document"]["warnings"][0]


async def test_a_table_that_is_a_picture_is_read(start, engine) -> None:
    engine.answer = lambda _: "TABLE\n| Berth | Length |\n|---|---|\n| A1 | 12 m |"
    async with start() as http:
        answer = await read(http, pdf(1))
    assert "[figure: table]\n\n| Berth | Length |\n|---|---|\n| A1 | 12 m |" in answer["pages"][0]["text"]


async def test_decoration_adds_nothing(start, engine) -> None:
    engine.answer = lambda _: "NOTHING"
    async with start() as http:
        answer = await read(http, pdf(1))
    assert "[figure" not in answer["pages"][0]["text"]
    assert answer["pages"][0]["warnings"] == []


async def test_a_document_has_a_bounded_number_of_descriptions(start, engine) -> None:
    async with start(vision_figures=3) as http:
        answer = await read(http, pdf(2, 2, 2))
    assert len(engine.requests("/api/chat")) == 3
    described = sum(page["text"].count("[figure: ") for page in answer["pages"])
    missing = [warning for page in answer["pages"] for warning in page["warnings"] if "pictures-not-read" in warning]
    assert described == 3
    assert sum(int(warning.split()[1]) for warning in missing) == 3
    assert all("VISION_FIGURES" in warning for warning in missing)


async def test_after_a_restart_only_the_rest_is_asked_for(start, engine) -> None:
    async with start() as http:
        answer = await read(http, pdf(1, 1, 1), "?first_page=3")
    assert [page["number"] for page in answer["pages"]] == [3]
    assert len(engine.requests("/api/chat")) == 1


async def test_what_was_described_before_a_restart_counts(start, engine) -> None:
    async with start(vision_figures=3) as http:
        answer = await read(http, pdf(2, 2, 2), "?first_page=2&described=2")
    assert [page["text"].count("[figure: ") for page in answer["pages"]] == [1, 0]
    assert len(engine.requests("/api/chat")) == 1


async def test_without_an_engine_that_is_ready_they_are_skipped_and_named(start) -> None:
    async with start(url=f"http://127.0.0.1:{free_port()}") as http:
        answer = await read(http, pdf(2, 1))
    for page, count in zip(answer["pages"], (2, 1), strict=True):
        assert "[figure" not in page["text"]
        assert "Moorings have grown" in page["text"]
        assert page["warnings"][0].startswith(f"pictures-not-read: {count} pictures on the page were not read: ")
        assert "not ready" in page["warnings"][0]


async def test_without_the_role_nothing_changes(client) -> None:
    answer = await read(client, pptx())
    assert answer["pages"][0]["warnings"] == ["pictures-not-read: 1 pictures on the slide were not read"]
