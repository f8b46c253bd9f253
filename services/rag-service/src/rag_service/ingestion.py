"""Ingestion as a durable job: parse, chunk, embed, finish. Each step may be run again from its start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service import indexes
from rag_service.chunking import Chunker, Piece
from rag_service.keyword import KeywordIndex
from rag_service.spaces import Spaces, waiting
from rag_service.tables import Chunk, Document, Job, PageText
from rag_service.vectors import VectorIndex
from rag_service.writing import BATCH, Writer
from service_kit.database import Database
from service_kit.durable import Task
from service_kit.errors import Conflict, InvalidInput, problem
from service_kit.jobs import CANCELLED, FAILED, QUEUED, READY, RUNNING, Jobs
from service_kit.originals import Originals
from service_kit.processor import DocProcessor, ProcessedHead, ProcessedPage

log = structlog.get_logger(__name__)
_PAGE_BATCH_SECONDS = 0.3


class NoText(InvalidInput):
    """Nothing can be read in the document."""

    type = "no-text"


class Ingestion:
    """The steps of one job; what is done is in the rows, so that a killed process goes on where it stopped."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs[Job],
        originals: Originals,
        processor: DocProcessor,
        chunker: Callable[[], Chunker],
        keyword: KeywordIndex,
        vectors: VectorIndex,
        spaces: Spaces,
        writer: Writer,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._originals = originals
        self._processor = processor
        self._make_chunker = chunker
        self._keyword = keyword
        self._vectors = vectors
        self._spaces = spaces
        self._writer = writer

    def task(self, concurrency: int) -> Task:
        return Task("ingest", (self.parse, self.chunk, self.embed, self.finish), self.failed, concurrency)

    async def parse(self, job_id: str) -> None:
        """Store the text of each page; pages stored before a restart are not read again."""
        document = await self._begin(job_id, "parsing")
        await self._jobs.retry_until_available(job_id, lambda: self._parse(job_id, document))

    async def _parse(self, job_id: str, document: Document) -> None:
        async with self._database.reading() as session:
            done = (
                await session.scalar(select(func.max(PageText.number)).where(PageText.document_id == document.id)) or 0
            )
        path = self._originals.path(document.sha256)
        waiting: list[ProcessedPage] = []
        stored = monotonic()
        try:
            async with aclosing(self._processor.process(path, document.filename, first_page=done + 1)) as events:
                async for event in events:
                    if isinstance(event, ProcessedHead):
                        await self._set_document(document.id, media_type=event.media_type, warnings=event.warnings)
                        await self._set_job(job_id, pages_done=done, pages_total=event.pages_total)
                        continue
                    waiting.append(event)
                    if monotonic() - stored > _PAGE_BATCH_SECONDS:
                        done += await self._store_pages(job_id, document.id, waiting)
                        stored = monotonic()
        finally:
            # Kept even if the answer broke off: reading a page may have taken a second of OCR.
            done += await self._store_pages(job_id, document.id, waiting)
        await self._set_job(job_id, pages_done=done, pages_total=done)

    async def _store_pages(self, job_id: str, document_id: str, waiting: list[ProcessedPage]) -> int:
        async with self._database.writing() as session:
            for page in waiting:
                await session.merge(
                    PageText(
                        document_id=document_id,
                        number=page.number,
                        text=page.text,
                        engine=page.engine,
                        confidence=page.confidence,
                        warnings=page.warnings,
                    )
                )
            changes = {Job.pages_done: Job.pages_done + len(waiting), Job.waiting_for: None}
            await session.execute(update(Job).where(Job.id == job_id).values(changes))
        count = len(waiting)
        self._jobs.metrics.progressed("ingest", "pages", count)
        waiting.clear()
        return count

    async def chunk(self, job_id: str) -> None:
        """Replace the document's chunks, and their full text, in one transaction; raises `NoText` if there are none."""
        document = await self._begin(job_id, "chunking")
        async with self._database.reading() as session:
            statement = select(PageText.number, PageText.text).where(PageText.document_id == document.id)
            pages = [(row.number, row.text) for row in await session.execute(statement.order_by(PageText.number))]
        pieces = await asyncio.to_thread(lambda: list(self._make_chunker().chunk(pages)))
        if not pieces:
            raise NoText("no text was found in this document; if it is a scan, see the warnings of its pages")
        async with self._database.writing() as session:
            await self._keyword.remove(session, document.id)
            await session.execute(delete(Chunk).where(Chunk.document_id == document.id))
            made = await session.scalars(insert(Chunk).returning(Chunk), _rows(document.id, pieces))
            indexed = [(chunk.id, document.title, chunk.heading, chunk.text) for chunk in made]
            await self._keyword.add(session, indexed)
            counts = {Document.pages: len(pages), Document.chunks: len(pieces)}
            await session.execute(update(Document).where(Document.id == document.id).values(counts))
            await session.execute(update(Job).where(Job.id == job_id).values(chunks_total=len(pieces), chunks_done=0))

    async def embed(self, job_id: str) -> None:
        """Make the vectors that are missing, batch by batch; waits for as long as the model server is away."""
        document = await self._begin(job_id, "embedding")
        while await self._jobs.retry_until_available(job_id, lambda: self._embed_batch(job_id, document)):
            pass

    async def _embed_batch(self, job_id: str, document: Document) -> bool:
        async with self._database.reading() as session:
            statement = select(Chunk).where(Chunk.document_id == document.id, Chunk.embedded.is_(False))
            chunks = list(await session.scalars(statement.order_by(Chunk.ordinal).limit(BATCH)))
        if not chunks:
            return False
        with waiting():
            space = await self._spaces.ensure(document.collection)

        async def record(session: AsyncSession) -> None:
            answers = await indexes.active(session, document.collection)
            # Where another index has taken over meanwhile, its swap has said what is in that one.
            if answers is not None and answers.id == space.id:
                ids = [chunk.id for chunk in chunks]
                await session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(embedded=True))
            done = select(func.count()).where(Chunk.document_id == document.id, Chunk.embedded.is_(True))
            changes = {"chunks_done": done.scalar_subquery(), "waiting_for": None}
            await session.execute(update(Job).where(Job.id == job_id).values(changes))

        await self._writer.write(space, [(chunk, document.title) for chunk in chunks], record)
        self._jobs.metrics.progressed("ingest", "chunks", len(chunks))
        return True

    async def finish(self, job_id: str) -> None:
        """Let the document be found."""
        async with self._database.writing() as session:
            job = await session.get_one(Job, job_id)
            if job.status != RUNNING:
                raise Conflict(f"this job is {job.status}")
            job.status, job.stage, job.waiting_for = READY, "done", None
            await session.execute(update(Document).where(Document.id == job.document_id).values(status=READY))
        self._jobs.metrics.ended("ingest", READY)
        log.info("document ready", document=job.document_id, pages=job.pages_done, chunks=job.chunks_done)

    async def failed(self, job_id: str, error: Exception) -> None:
        """Record why; what was stored of the document is taken back, but for the row that says so."""
        async with self._database.writing() as session:
            job = await session.get(Job, job_id)
            if job is None or job.status == CANCELLED:
                return
            job.status, job.waiting_for, job.error = FAILED, None, problem(error)
            document_id = job.document_id or ""
            await self._keyword.remove(session, document_id)
            await session.execute(delete(Chunk).where(Chunk.document_id == document_id))
            await session.execute(delete(PageText).where(PageText.document_id == document_id))
            await session.execute(update(Document).where(Document.id == document_id).values(status=FAILED))
            names = [index.name for index in await indexes.with_status(session, job.collection)]
        self._jobs.metrics.ended("ingest", FAILED)
        for name in names:
            await self._vectors.delete_document(name, document_id)

    async def _begin(self, job_id: str, stage: str) -> Document:
        async with self._database.writing() as session:
            job = await session.get_one(Job, job_id)
            if job.status not in (QUEUED, RUNNING):
                raise Conflict(f"this job is {job.status}")
            job.status, job.stage = RUNNING, stage
            document = await session.get_one(Document, job.document_id)
            document.status = RUNNING
        return document

    async def _set_job(self, job_id: str, **values: Any) -> None:
        async with self._database.writing() as session:
            await session.execute(update(Job).where(Job.id == job_id).values(**values))

    async def _set_document(self, document_id: str, **values: Any) -> None:
        async with self._database.writing() as session:
            await session.execute(update(Document).where(Document.id == document_id).values(**values))


def _rows(document_id: str, pieces: list[Piece]) -> list[dict[str, Any]]:
    return [
        {
            "document_id": document_id,
            "ordinal": ordinal,
            "page": piece.page,
            "start": piece.start,
            "end": piece.end,
            "heading": piece.heading,
            "text": piece.text,
            "embedded": False,
        }
        for ordinal, piece in enumerate(pieces)
    ]
