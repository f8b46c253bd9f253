"""One page at a time: text layer, else OCR, else the vision model; a page that fails never fails the document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from doc_processor.parsers.base import Note, PageText
from doc_processor.vision import Transcriber
from doc_processor.workers.pool import WorkerPool
from doc_processor.workers.protocol import BadMessage, Message
from doc_processor.workers.worker import WorkerFailed, WorkerTimedOut
from llm_providers.errors import ProviderError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what it was found to be, as tasks for workers name it."""

    path: Path
    name: str
    declared: str
    media_type: str = ""

    def task(self, task: str, **more: Any) -> Message:
        return {
            "task": task,
            "path": str(self.path),
            "name": self.name,
            "declared": self.declared,
            "media_type": self.media_type,
            **more,
        }


class PageReader:
    """Reads single pages; `transcriber` takes over where OCR is less sure than `vision_below`."""

    def __init__(self, pool: WorkerPool, transcriber: Transcriber | None, vision_below: float) -> None:
        self._pool = pool
        self._transcriber = transcriber
        self._vision_below = vision_below

    async def read(self, source: Source, number: int) -> PageText:
        """Return the page, at worst empty with a warning; raises only what is wrong with this machine."""
        page = await self._ask(source, "page", number)
        if not page.wants_ocr:
            return page
        seen = await self._ask(source, "ocr", number)
        if seen.engine == "none" or (not seen.text and page.text):
            # What the text layer gave is poor, but it is all there is.
            return replace(page, warnings=(*page.warnings, *seen.warnings), wants_ocr=False)
        if self._transcriber is not None and (seen.confidence is None or seen.confidence < self._vision_below):
            return await self._look(source, number, seen, self._transcriber)
        return seen

    async def _ask(self, source: Source, task: str, number: int) -> PageText:
        try:
            return _page_text(await self._pool.run(source.task(task, number=number)))
        except WorkerFailed as error:
            log.warning("page failed", task=task, page=number, media_type=source.media_type, error=str(error))
            how = "took too long" if isinstance(error, WorkerTimedOut) else "crashed the parser"
            return PageText("", "none", warnings=(Note("page-failed", f"the page {how}; its text is missing"),))

    async def _look(self, source: Source, number: int, seen: PageText, transcriber: Transcriber) -> PageText:
        picture = source.path.with_name(f"page-{number}.jpg")
        try:
            reply = await self._pool.run(source.task("picture", number=number, into=str(picture)))
            if "ok" not in reply:
                raise WorkerFailed(str(reply.get("detail")))
            return await transcriber.transcribe(picture.read_bytes())
        except (ProviderError, WorkerFailed) as error:
            log.warning("vision failed", page=number, error=type(error).__name__)
            note = Note("vision-failed", "the vision model could not read the page; this is the text from OCR")
            return replace(seen, warnings=(*seen.warnings, note))
        finally:
            picture.unlink(missing_ok=True)


def _page_text(reply: Message) -> PageText:
    if "ok" not in reply:
        log.info("page refused", kind=reply.get("refused"), exception=reply.get("exception"))
        note = Note(str(reply.get("refused")), f"{reply.get('detail')}; the page's text is missing")
        return PageText("", "none", warnings=(note,))
    try:
        found = dict(reply["ok"])
        notes = tuple(Note(**note) for note in found.pop("warnings"))
        return PageText(**found, warnings=notes)
    except (TypeError, KeyError) as error:
        raise WorkerFailed("the worker's answer is not a page") from BadMessage(str(error))
