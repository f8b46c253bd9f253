from __future__ import annotations

import asyncio
import io
import sys
import zipfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest
import uvicorn
from docx import Document
from fastapi import FastAPI
from openpyxl import Workbook
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from doc_processor.app import create
from doc_processor.parsers.base import ParseLimits
from doc_processor.settings import DocProcessorSettings
from doc_processor.workers.pool import COMMAND, PoolSettings, WorkerPool

PASSAGE = (
    "The harbour master keeps the register of moorings in the small office above the boat shed. Every spring the "
    "pontoons are inspected, and worn planks are replaced before the visitors arrive."
)
MISBEHAVING = (sys.executable, str(Path(__file__).with_name("misbehaving_worker.py")))


class Samples:
    """Documents in every format, made on the spot."""

    def picture(self, text: str, *, size: tuple[int, int] = (1700, 900), points: int = 44) -> Image.Image:
        image = Image.new("L", size, 255)
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(points)
        lines = self._wrapped(text, int(size[0] / (points * 0.55)))
        for row, line in enumerate(lines):
            draw.text((80, 80 + row * int(points * 1.6)), line, font=font, fill=0)
        return image

    def png(self, text: str) -> bytes:
        return self.encoded(self.picture(text), "PNG")

    def encoded(self, image: Image.Image, kind: str, **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    def tiff(self, *texts: str) -> bytes:
        first, *others = [self.picture(text) for text in texts]
        return self.encoded(first, "TIFF", save_all=True, append_images=others)

    def pdf(self, *pages: str, user_password: str | None = None, owner_password: str | None = None) -> bytes:
        out = io.BytesIO()
        encrypt = None
        if owner_password is not None:
            encrypt = StandardEncryption(user_password or "", ownerPassword=owner_password, strength=128)
        canvas = Canvas(out, encrypt=encrypt, invariant=1)
        for page in pages:
            for row, line in enumerate(self._wrapped(page, 80)):
                canvas.drawString(72, 760 - row * 15, line)
            canvas.showPage()
        canvas.save()
        return out.getvalue()

    def form(self) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out, invariant=1)
        canvas.drawString(72, 700, "Registration of a boat, to be filled in by its owner.")
        fields = canvas.acroForm
        fields.textfield(name="f1", tooltip="Owner", value="Tjalling Roorda", x=72, y=650)
        fields.textfield(name="f2", tooltip="Empty", value="", x=72, y=630)
        fields.checkbox(name="f3", tooltip="Insured", checked=True, x=72, y=600)
        fields.checkbox(name="f4", tooltip="Sold", checked=False, x=72, y=560)
        canvas.freeTextAnnotation("Seen by the office", DA="/Helv 12 Tf 0 g", Rect=(72, 400, 300, 430))
        canvas.save()
        return out.getvalue()

    def scanned_pdf(self, *images: Image.Image) -> bytes:
        first, *others = images
        return self.encoded(first, "PDF", save_all=True, append_images=others, resolution=200)

    def docx(self, build: Callable[[object], None]) -> bytes:
        document = Document()
        build(document)
        out = io.BytesIO()
        document.save(out)
        return out.getvalue()

    def pptx(self, *slides: tuple[str, list[str]]) -> bytes:
        presentation = Presentation()
        for title, lines in slides:
            slide = presentation.slides.add_slide(presentation.slide_layouts[1])
            slide.shapes.title.text = title
            slide.placeholders[1].text = "\n".join(lines)
        out = io.BytesIO()
        presentation.save(out)
        return out.getvalue()

    def pptx_with_table(self) -> bytes:
        presentation = Presentation()
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = "Berths"
        shape = slide.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1))
        for row, column, text in ((0, 0, "Berth"), (0, 1, "Length"), (1, 0, "A1"), (1, 1, "12 m | deep")):
            shape.table.cell(row, column).text = text
        slide.notes_slide.notes_text_frame.text = "Mention the dredging."
        out = io.BytesIO()
        presentation.save(out)
        return out.getvalue()

    def xlsx(self, **sheets: list[list[object]]) -> bytes:
        book = Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    def mail(self, body: str, *, html: str | None = None, attachments: dict[str, bytes] | None = None) -> bytes:
        message = EmailMessage()
        message["From"] = "Harbour office <office@harbour.example>"
        message["To"] = "crew@harbour.example"
        message["Date"] = "Mon, 12 Oct 2026 09:00:00 +0200"
        message["Subject"] = "Pontoon inspection"
        message.set_content(body)
        if html is not None:
            message.add_alternative(html, subtype="html")
        for name, data in (attachments or {}).items():
            kind = ("text", "plain") if name.endswith(".txt") else ("application", "octet-stream")
            message.add_attachment(data, maintype=kind[0], subtype=kind[1], filename=name)
        return message.as_bytes()

    def rezipped(self, data: bytes, changes: dict[str, bytes]) -> bytes:
        """Copy a zip container with some members replaced or added."""
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                if name not in changes:
                    new.writestr(name, old.read(name))
            for name, content in changes.items():
                new.writestr(name, content)
        return out.getvalue()

    def _wrapped(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            if len(lines[-1]) + len(word) + 1 > width:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        return lines


@pytest.fixture
def samples() -> Samples:
    return Samples()


@pytest.fixture
def passage() -> str:
    return PASSAGE


@pytest.fixture
def settings(tmp_path: Path) -> DocProcessorSettings:
    (tmp_path / "work").mkdir()
    return DocProcessorSettings(
        data_dir=tmp_path / "data",
        work_dir=tmp_path / "work",
        auth_enabled=False,
        anonymous_requests_per_minute=1000,
        anonymous_requests_per_hour=1000,
    )


PoolMaker = Callable[..., WorkerPool]


@pytest.fixture
async def make_pool(tmp_path: Path) -> AsyncGenerator[PoolMaker, None]:
    pools = []

    def make(*, misbehaving: bool = False, size: int = 2, **options: object) -> WorkerPool:
        chosen = {"command": MISBEHAVING if misbehaving else COMMAND, **options}
        pool = WorkerPool(PoolSettings(size, tmp_path, **chosen))
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        await pool.aclose()


@pytest.fixture
def limits() -> ParseLimits:
    return ParseLimits()


Serve = Callable[[FastAPI], AbstractAsyncContextManager[str]]


@pytest.fixture
def serve() -> Serve:
    """Serve an app on a real socket; gives its base URL."""

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncGenerator[str, None]:
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving

    return running


@pytest.fixture
async def client(settings: DocProcessorSettings, serve: Serve) -> AsyncGenerator[httpx2.AsyncClient, None]:
    async with serve(create(settings)) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
        yield http
