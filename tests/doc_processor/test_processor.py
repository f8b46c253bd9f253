from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from doc_processor.errors import DocumentRefused, DocumentTimeout, WorkersUnavailable
from doc_processor.events import DocumentEvent, DoneEvent, PageEvent
from doc_processor.metrics import PageMetrics
from doc_processor.page_reader import PageReader, UploadedFile
from doc_processor.parsers.base import ParsedPage
from doc_processor.processor import Processor, sweep
from doc_processor.workers.worker import WorkerCrashed
from service_kit.problems import problem

CRASH, HANG, BUG = 101, 102, 107


class Bytes:
    """An upload in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, size: int = -1) -> bytes:
        block, self._data = self._data[:size], self._data[size:]
        return block


@pytest.fixture
def make_processor(make_pool, tmp_path):
    def make(*, document_seconds: float = 60.0, **options: object) -> Processor:
        pool = make_pool(misbehaving=True, **options)
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        return Processor(
            pool, PageReader(pool, None, 0.6), None, PageMetrics(CollectorRegistry()), work, document_seconds
        )  # fmt: skip

    return make


@pytest.fixture
async def source(make_processor, tmp_path: Path) -> AsyncGenerator[UploadedFile, None]:
    async with make_processor().received(Bytes(b"120 pages"), "a.txt", "") as received:
        yield received


async def test_pages_come_in_order_and_are_counted(make_processor) -> None:
    processor = make_processor()
    async with processor.received(Bytes(b"90 pages"), "a.txt", "") as received:
        document = await processor.open(received)
        events = [event async for event in document.events()]
    head, pages, done = events[0], events[1:-1], events[-1]
    assert isinstance(head, DocumentEvent)
    assert head.pages_total == 90
    assert [page.number for page in pages if isinstance(page, PageEvent)] == list(range(1, 91))
    assert isinstance(done, DoneEvent)
    assert (done.pages, done.engines, done.pages_with_warnings) == (90, {"trouble": 90}, 0)


async def test_bad_pages_get_a_warning_and_the_rest_is_read(make_processor, source) -> None:
    document = await make_processor(task_seconds=2.0).open(source)
    pages = {event.number: event async for event in document.events() if isinstance(event, PageEvent)}
    assert pages[100].text.startswith("page 100")
    assert pages[CRASH].warnings == ["page-failed: the page crashed the parser; its text is missing"]
    assert pages[HANG].warnings == ["page-failed: the page took too long; its text is missing"]
    assert pages[BUG].warnings == ["unreadable-document: the parser failed on it; the page's text is missing"]
    assert (pages[CRASH].text, pages[CRASH].engine, pages[CRASH].confidence) == ("", "none", None)
    assert pages[120].text.startswith("page 120")


async def test_no_more_is_read_ahead_than_the_window(make_processor, source) -> None:
    document = await make_processor(size=2).open(source)
    events = document.events()
    await anext(events)
    await anext(events)
    async with asyncio.timeout(10):
        while not source.path.with_name("page-4").exists():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # time in which an unbounded reader would run away
    assert not source.path.with_name("page-6").exists()
    await events.aclose()


async def test_leaving_early_stops_the_workers(make_processor, source) -> None:
    document = await make_processor().open(source, first_page=HANG)
    events = document.events()
    await anext(events)
    first, hanging = asyncio.ensure_future(anext(events)), source.path.with_name("hanging")
    async with asyncio.timeout(20):
        # It exists before its content does.
        while not (hanging.exists() and hanging.read_text()):
            await asyncio.sleep(0.01)
    pid = int(hanging.read_text())
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert pid
    assert not Path(f"/proc/{pid}").exists()


async def test_it_begins_at_the_page_asked_for(make_processor, source) -> None:
    document = await make_processor().open(source, first_page=119)
    assert [e.number async for e in document.events() if isinstance(e, PageEvent)] == [119, 120]
    beyond = await make_processor().open(source, first_page=500)
    assert [event.event async for event in beyond.events()] == ["document", "done"]


async def test_a_document_has_a_time_limit(make_processor, source) -> None:
    document = await make_processor(document_seconds=1.5).open(source, first_page=HANG)
    with pytest.raises(DocumentTimeout):
        [event async for event in document.events()]


async def test_a_file_that_crashes_the_parser_is_unreadable(make_processor) -> None:
    processor = make_processor()
    async with processor.received(Bytes(b"crash"), "a.txt", "") as received:
        with pytest.raises(DocumentRefused, match="crashed"):
            await processor.open(received)


async def test_a_broken_machine_is_not_the_documents_fault(make_processor, source) -> None:
    with pytest.raises(WorkersUnavailable):
        await make_processor(command=("/bin/false",)).open(source)


async def test_an_upload_is_kept_only_as_long_as_needed(make_processor, tmp_path) -> None:
    processor = make_processor()
    async with processor.received(Bytes(b"x" * 3_000_000), "a.txt", "") as received:
        assert received.path.stat().st_size == 3_000_000
    assert list((tmp_path / "work").iterdir()) == []


async def test_what_killed_processes_left_is_swept(tmp_path) -> None:
    for name in (f"doc-processor-{os.getpid()}-a", "doc-processor-99999999-b", "other"):
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"doc-processor-{os.getpid()}-a", "other"]


@pytest.mark.parametrize(
    ("kind", "type_", "status"),
    [
        ("password-required", "password-required", 422),
        ("unsupported-type", "unsupported-type", 415),
        ("too-many-pages", "too-many-pages", 413),
        ("ocr-unavailable", "ocr-unavailable", 503),
        ("of a worker that was taken over", "unreadable-document", 422),
    ],
)
def test_a_refusal_becomes_a_problem_of_its_kind(kind: str, type_: str, status: int) -> None:
    members = problem(DocumentRefused(kind, "why"))
    assert members["type"] == f"urn:switchyard:problem:{type_}"
    assert (members["status"], members["detail"], members["field"]) == (status, "why", "file")


class CrashesOnOcr:
    """A pool whose workers read an empty text layer, and die of the picture."""

    async def run(self, task, owner: str = ""):
        if task["task"] == "page":
            return {"ok": asdict(ParsedPage("", "text-layer", wants_ocr=True, label="Plan"))}
        raise WorkerCrashed("exit status -11")


async def test_a_page_that_nothing_could_read_names_no_engine(tmp_path) -> None:
    page = await PageReader(CrashesOnOcr(), None, 0.6).read(UploadedFile(tmp_path, "a.pdf", ""), 1)
    assert (page.engine, page.text) == ("none", "")
    assert [note.code for note in page.warnings] == ["page-failed"]
