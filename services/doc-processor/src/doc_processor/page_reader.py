"""The reader of single pages: text layer, else OCR, else the vision model; a page that fails never fails the document."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from doc_processor.figures import FigureAllowance
from doc_processor.parsers.base import PageWord, ParsedPage, ParseWarning
from doc_processor.vision import Transcriber
from doc_processor.workers.pool import WorkerPool
from doc_processor.workers.protocol import BadMessage, Message
from doc_processor.workers.worker import WorkerFailed, WorkerTimedOut
from llm_providers.errors import ProviderError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An uploaded file, its media type, which is empty until the file was opened, and for whom it is read."""

    path: Path
    name: str
    declared: str
    media_type: str = ""
    owner: str = ""
    figures: FigureAllowance = field(default_factory=FigureAllowance)

    def task(self, task: str, **more: Any) -> Message:
        """Return the message that has a worker do `task` with this file."""
        return {
            "task": task,
            "path": str(self.path),
            "name": self.name,
            "declared": self.declared,
            "media_type": self.media_type,
            **more,
        }


@dataclass(slots=True)
class PageReader:
    """Reads single pages; pages on which OCR is less confident than `vision_below` go to the `transcriber`."""

    pool: WorkerPool
    transcriber: Transcriber | None
    vision_below: float

    async def read(self, source: UploadedFile, number: int) -> ParsedPage:
        """Return the page, at worst empty with a warning; raises only what is wrong with this machine."""
        page = await self._ask(source, "page", number)
        if not page.wants_ocr:
            if page.figures and self.transcriber is not None:
                page = await self._illustrated(source, number, page, self.transcriber)
            return page
        scanned = await self._ask(source, "ocr", number)
        if scanned.engine == "none" or (not scanned.text and page.text):
            # The text layer is poor, but there is nothing else; a page without any was read by no engine.
            engine = page.engine if page.text else "none"
            return replace(page, engine=engine, warnings=(*page.warnings, *scanned.warnings), wants_ocr=False)
        if self.transcriber is not None and (scanned.confidence is None or scanned.confidence < self.vision_below):
            scanned = await self._transcribe(source, number, scanned, self.transcriber)
        return replace(scanned, label=page.label)

    async def _illustrated(
        self, source: UploadedFile, number: int, page: ParsedPage, transcriber: Transcriber
    ) -> ParsedPage:
        """Add what the pictures on a page show, marked as such; those that are not described are named."""
        into = source.path.with_name(f"figure-{number}")
        described: list[str] = []
        done = most = 0
        try:
            if most := source.figures.take(page.figures):
                task = source.task("figures", number=number, most=most, into=str(into))
                reply = await self.pool.run(task, source.owner)
                for index in range(reply.get("ok", {}).get("written", 0)):
                    picture = into.with_name(f"{into.name}-{index}.jpg").read_bytes()
                    described.append(await transcriber.describe(picture))
                    done += 1
        except (ProviderError, WorkerFailed, OSError) as error:
            log.warning("figures failed", page=number, error=type(error).__name__)
            source.figures.end("the vision model was not ready")
            most = 0
        finally:
            for picture_file in into.parent.glob(f"{into.name}-*.jpg"):
                picture_file.unlink(missing_ok=True)
        notes = []
        if any(described):
            detail = "what pictures show was written by a vision model, which may be wrong; it is marked [figure: …]"
            notes.append(ParseWarning("figures-described", detail))
        if missing := page.figures - done:
            why = "they could not be decoded" if done < most else source.figures.why
            notes.append(ParseWarning("pictures-not-read", f"{missing} pictures on the page were not read: {why}"))
        text = "\n\n".join(filter(None, [page.text, *described]))
        return replace(page, text=text, warnings=(*page.warnings, *notes))

    async def _ask(self, source: UploadedFile, task: str, number: int) -> ParsedPage:
        try:
            return _page_text(await self.pool.run(source.task(task, number=number), source.owner))
        except WorkerFailed as error:
            log.warning("page failed", task=task, page=number, media_type=source.media_type, error=str(error))
            how = "took too long" if isinstance(error, WorkerTimedOut) else "crashed the parser"
            return ParsedPage(
                "", "none", warnings=(ParseWarning("page-failed", f"the page {how}; its text is missing"),)
            )

    async def _transcribe(
        self, source: UploadedFile, number: int, scanned: ParsedPage, transcriber: Transcriber
    ) -> ParsedPage:
        picture = source.path.with_name(f"page-{number}.jpg")
        try:
            reply = await self.pool.run(source.task("picture", number=number, into=str(picture)), source.owner)
            if "ok" not in reply:
                raise WorkerFailed(str(reply.get("detail")))
            # The model gives no places: where its words are those of OCR, they are shown where that found them.
            return replace(await transcriber.transcribe(picture.read_bytes()), words=scanned.words)
        except (ProviderError, WorkerFailed) as error:
            log.warning("vision failed", page=number, error=type(error).__name__)
            note = ParseWarning("vision-failed", "the vision model could not read the page; this is the text from OCR")
            return replace(scanned, warnings=(*scanned.warnings, note))
        finally:
            picture.unlink(missing_ok=True)


def _page_text(reply: Message) -> ParsedPage:
    if "ok" not in reply:
        log.info("page refused", kind=reply.get("refused"), exception=reply.get("exception"))
        note = ParseWarning(str(reply.get("refused")), f"{reply.get('detail')}; the page's text is missing")
        return ParsedPage("", "none", warnings=(note,))
    try:
        fields = dict(reply["ok"])
        notes = tuple(ParseWarning(**note) for note in fields.pop("warnings"))
        words = tuple(PageWord(**{**word, "box": tuple(word["box"])}) for word in fields.pop("words"))
        return ParsedPage(**fields, warnings=notes, words=words)
    except (TypeError, KeyError) as error:
        raise WorkerFailed("the worker's answer is not a page") from BadMessage(str(error))
