"""The processor: it takes a file and yields its pages in order, each as soon as it is read."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import anyio
import structlog

from doc_processor.errors import DocumentRefused, DocumentTimeout
from doc_processor.events import DocumentEvent, DoneEvent, Event, PageEvent, PageView, PropertiesOut, WordOut
from doc_processor.figures import FigureAllowance
from doc_processor.llamaparse import HostedPages, LlamaParse
from doc_processor.metrics import PageMetrics
from doc_processor.page_reader import PageReader, UploadedFile
from doc_processor.parsers.base import ParsedPage, ParseWarning
from doc_processor.refusals import Unreadable
from doc_processor.workers.pool import WorkerPool
from doc_processor.workers.protocol import Message
from doc_processor.workers.worker import WorkerFailed
from llm_providers.deadline import Deadline

log = structlog.get_logger(__name__)
_PREFIX = "doc-processor"
_BLOCK = 1 << 20


class Readable(Protocol):
    """An upload, as web frameworks hand it on."""

    async def read(self, size: int = -1) -> bytes: ...


@dataclass(slots=True)
class Processor:
    """Reads documents; `work_dir` holds each upload while it is being read, `hosted` is asked before our own parsers."""

    pool: WorkerPool
    reader: PageReader
    hosted: LlamaParse | None
    metrics: PageMetrics
    work_dir: Path
    document_seconds: float
    figures: int = 0
    """Pictures of one document that are described."""

    @asynccontextmanager
    async def received(
        self, upload: Readable, name: str, declared: str, owner: str = ""
    ) -> AsyncGenerator[UploadedFile, None]:
        """Store an upload in a folder of its own for the duration of the block."""
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=self.work_dir))
        path = folder / "upload"
        try:
            with path.open("wb") as file:
                while block := await upload.read(_BLOCK):
                    file.write(block)
            yield UploadedFile(path, name, declared, owner=owner, figures=FigureAllowance(self.figures))
        finally:
            with anyio.CancelScope(shield=True):
                # A worker that has the file open would keep its blocks on the disk.
                await self.pool.forget(str(path))
            shutil.rmtree(folder, ignore_errors=True)

    async def open(self, source: UploadedFile, first_page: int = 1) -> OpenedDocument:
        """Open the file; raises `DocumentRefused` if it is not read, or `WorkersUnavailable`."""
        started = monotonic()
        deadline = Deadline.after(self.document_seconds)
        reply = await self._run(source, "open")
        opened = replace(source, media_type=reply["media_type"])
        head = _head(opened, reply)
        return OpenedDocument(
            head,
            opened,
            reply["own_pages"],
            first_page,
            self.reader,
            self.hosted,
            self.metrics,
            self.pool.size,
            deadline,
            started,
        )

    async def view(self, source: UploadedFile, number: int, width: int) -> PageView:
        """Render a page for people; raises as `open` does, and `DocumentRefused` where its format has no pictures."""
        run = partial(self._run, aside=True)
        opened = replace(source, media_type=(await run(source, "open"))["media_type"])
        picture = source.path.with_name(f"view-{number}.jpg")
        reply = await run(opened, "view", number=number, width=width, into=str(picture))
        encoded = base64.b64encode(await asyncio.to_thread(picture.read_bytes)).decode()
        words = [WordOut(text=word["text"], box=word["box"]) for word in reply["words"]]
        return PageView(width=reply["width"], height=reply["height"], picture=encoded, words=words)

    async def _run(self, source: UploadedFile, task: str, *, aside: bool = False, **more: Any) -> Message:
        try:
            reply = await self.pool.run(source.task(task, **more), source.owner, aside=aside)
        except WorkerFailed as error:
            log.warning("document failed", task=task, error=str(error))
            raise DocumentRefused(
                Unreadable.kind, "the file crashed the parser, or kept it busy for too long"
            ) from error
        if "ok" not in reply:
            log.info("document refused", task=task, kind=reply.get("refused"), exception=reply.get("exception"))
            raise DocumentRefused(str(reply.get("refused")), str(reply.get("detail")))
        done: Message = reply["ok"]
        return done


@dataclass(slots=True)
class OpenedDocument:
    """An opened document, whose pages are still to be read."""

    head: DocumentEvent
    source: UploadedFile
    own_pages: int
    """Those of its attachments follow."""
    first_page: int
    reader: PageReader
    hosted: LlamaParse | None
    metrics: PageMetrics
    workers: int
    deadline: Deadline
    started: float
    opened: float = field(default_factory=monotonic)
    _ready: Mapping[int, ParsedPage] = field(default_factory=dict)
    """Pages that were read by the hosted parser."""

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the document, each page in order, and the end; raises `DocumentTimeout` or `WorkersUnavailable`.

        Closing the generator stops the pages that are being read.
        """
        hosted = await self._hosted()
        self._ready = hosted.pages
        yield self.head.model_copy(update={"warnings": [*self.head.warnings, *_shown(hosted.warnings)]})
        engines: Counter[str] = Counter()
        characters = warned = 0
        pages = self._pages()
        try:
            async for page in pages:
                engines[page.engine] += 1
                characters += len(page.text)
                warned += bool(page.warnings)
                yield page
        finally:
            await pages.aclose()
        done = DoneEvent(
            pages=engines.total(),
            characters=characters,
            engines=dict(engines),
            pages_with_warnings=warned,
            open_seconds=round(self.opened - self.started, 3),
            total_seconds=round(monotonic() - self.started, 3),
        )
        log.info("document read", media_type=self.head.media_type, **done.model_dump(exclude={"event"}))
        yield done

    async def _hosted(self) -> HostedPages:
        if self.hosted is None:
            return HostedPages({})
        return await self.hosted.read(self.source, range(self.first_page, self.own_pages + 1))

    async def _pages(self) -> AsyncGenerator[PageEvent, None]:
        waiting: deque[asyncio.Task[ParsedPage]] = deque()
        numbers = iter(range(self.first_page, (self.head.pages_total or 0) + 1))
        try:
            for number in range(self.first_page, (self.head.pages_total or 0) + 1):
                # Enough to keep every worker busy while the oldest page is awaited, with bounded memory.
                while len(waiting) < 2 * self.workers and (ahead := next(numbers, None)) is not None:
                    waiting.append(asyncio.create_task(self._read(ahead)))
                yield _page_event(number, await self._awaited(waiting[0]))
                waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(*waiting, return_exceptions=True)

    async def _read(self, number: int) -> ParsedPage:
        started = monotonic()
        page = self._ready.get(number) or await self.reader.read(self.source, number)
        self.metrics.on_page(page.engine, monotonic() - started)
        return page

    async def _awaited(self, task: asyncio.Task[ParsedPage]) -> ParsedPage:
        try:
            async with asyncio.timeout(self.deadline.remaining):
                return await task
        except TimeoutError as error:
            raise DocumentTimeout("reading the whole document takes too long; pages so far were sent") from error


@contextmanager
def own_folder(work_dir: Path) -> Generator[Path, None, None]:
    """Make a folder for this process's uploads in `work_dir`, and remove those of processes that were killed."""
    work_dir.mkdir(parents=True, exist_ok=True)
    sweep(work_dir)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=work_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(work_dir: Path) -> None:
    """Remove the files of killed processes from `work_dir`."""
    for folder in work_dir.glob(f"{_PREFIX}-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and int(owner) != os.getpid() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _head(source: UploadedFile, opened: Message) -> DocumentEvent:
    return DocumentEvent(
        media_type=source.media_type,
        file_name=source.name,
        size_bytes=source.path.stat().st_size,
        pages_total=opened["pages"],
        warnings=_shown(ParseWarning(**note) for note in opened["warnings"]),
        properties=PropertiesOut(**opened["properties"]),
    )


def _page_event(number: int, page: ParsedPage) -> PageEvent:
    return PageEvent(
        number=number,
        label=page.label,
        text=page.text,
        engine=page.engine,
        confidence=page.confidence,
        words=[WordOut(text=word.text, box=word.box, confidence=word.confidence) for word in page.words],
        warnings=_shown(page.warnings),
    )


def _shown(notes: Iterable[ParseWarning]) -> list[str]:
    return [f"{note.code}: {note.detail}" for note in notes]
