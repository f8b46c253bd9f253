"""The build of a graph as a durable job: what has changed in the collection is read, and nothing else.

The rows say what is done, chunk by chunk, so any step may be run again, and a build that was killed or cancelled goes on where it
stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import structlog
from sqlalchemy import delete, func, select, update

from graph_service import storage
from graph_service.extraction import Extraction, Extractor, Passage
from graph_service.extraction.gazetteer import Gazetteer
from graph_service.extraction.patterns import PatternExtractor
from graph_service.metrics import GraphMetrics
from graph_service.passages import chunk_spans
from graph_service.pipeline import in_flight
from graph_service.rag import PAGES, RagDocument, RagPage, RagService
from graph_service.resolution import Resolution
from graph_service.settings import GraphSettings
from graph_service.tables import Chunk, Document, Entity, Graph, Job
from llm_providers.errors import ContextLengthExceeded, DeadlineExceeded
from service_kit.database import Database
from service_kit.durable import Task
from service_kit.errors import NotFound
from service_kit.jobs import Jobs

log = structlog.get_logger(__name__)
_STORED_AT_ONCE, _STORED_AFTER = 32, 1.0
"""Chunks, and seconds, after which what was found is stored."""


@dataclass(slots=True)
class GraphBuild:
    """The steps of one job."""

    database: Database
    jobs: Jobs[Job]
    rag: RagService
    extractor: Extractor
    patterns: PatternExtractor
    """What reads a chunk that the extractor can't."""
    metrics: GraphMetrics
    settings: GraphSettings

    def task(self) -> Task:
        return Task("graph", (self.update, self.resolve, self.finish), self.jobs.fail, self.settings.graph_concurrency)

    async def update(self, job_id: str) -> None:
        """Read what is new, and forget what is gone, until the graph has what the collection has."""
        job = await self.jobs.begin(job_id, "comparing")
        if job.again:
            await self._start_again(job)
        await self._compare(job)
        while await self._waiting(job):
            await self._extract(job)
            await self._compare(job)

    async def resolve(self, job_id: str) -> None:
        """Forget names that no document has any more, and decide which of the others are one entity."""
        job = await self.jobs.begin(job_id, "resolving")
        async with self.database.writing() as session:
            await storage.remove_unused(session, job.collection)
        async with self.database.reading() as session:
            names = await storage.names_of(session, job.collection)
            resolution = await asyncio.to_thread(Resolution, names)
            documents = await storage.documents_of(session, resolution.asked)
        groups = await asyncio.to_thread(resolution.groups, documents)
        async with self.database.writing() as session:
            await storage.place(session, job.collection, groups)

    async def finish(self, job_id: str) -> None:
        """Count the mentions of entities, and give the graph its next revision."""
        async with self.jobs.finishing(job_id) as (session, job):
            await storage.remove_unused(session, job.collection)
            await storage.count(session, Entity.collection == job.collection)
            await storage.changed(session, job.collection)
        log.info("graph ready", collection=job.collection, job=job_id)

    async def _start_again(self, job: Job) -> None:
        async with self.database.writing() as session:
            await session.execute(delete(Document).where(Document.collection == job.collection))
            # Once: a build that is killed goes on.
            await session.execute(update(Job).where(Job.id == job.id).values(again=False))

    async def _compare(self, job: Job) -> None:
        """Store the chunks of new and changed documents, and remove what is gone."""
        listed = partial(self._documents, job.collection)
        there = {document.id: document for document in await self.jobs.retry_until_available(job.id, listed)}
        async with self.database.reading() as session:
            known = await storage.contents(session, job.collection)
        for document_id in known.keys() - {d.id for d in there.values() if known.get(d.id) == d.content}:
            await self._forget(document_id)
        for document in there.values():
            if known.get(document.id) != document.content:
                await self._add(job, document)

    async def _documents(self, collection: str) -> list[RagDocument]:
        return [document async for document in self.rag.documents(collection)]

    async def _forget(self, document_id: str) -> None:
        async with self.database.writing() as session:
            await session.execute(delete(Document).where(Document.id == document_id))

    async def _add(self, job: Job, document: RagDocument) -> None:
        spans: list[dict[str, int]] = []
        first = 1
        try:
            while pages := await self._pages(job, document.id, first):
                for page in pages:
                    for start, end in await asyncio.to_thread(self._chunks, page):
                        spans.append({"page": page.number, "start": start, "end": end})
                first = pages[-1].number + 1
        except NotFound:  # deleted in the meantime
            return
        async with self.database.writing() as session:
            row = Document(
                id=document.id,
                collection=job.collection,
                title=document.title,
                language=document.language,
                content=document.content,
            )
            session.add(row)
            await session.flush()
            session.add_all(Chunk(document_id=document.id, **span) for span in spans)

    def _chunks(self, page: RagPage) -> list[tuple[int, int]]:
        return list(chunk_spans(page.text, self.settings.graph_chunk_characters))

    async def _pages(self, job: Job, document_id: str, first: int) -> list[RagPage]:
        return await self.jobs.retry_until_available(job.id, partial(self.rag.pages, document_id, first))

    async def _waiting(self, job: Job) -> bool:
        """Set the job's total to what it has done and what waits, and say whether something does."""
        mine = select(Document.id).where(Document.collection == job.collection)
        async with self.database.writing() as session:
            statement = select(func.count()).where(Chunk.document_id.in_(mine), Chunk.done.is_(False))
            waiting = await session.scalar(statement) or 0
            total = Job.chunks_done + waiting
            await session.execute(update(Job).where(Job.id == job.id).values(chunks_total=total, waiting_for=None))
        return waiting > 0

    async def _extract(self, job: Job) -> None:
        await self.jobs.begin(job.id, "extracting")
        found: list[tuple[Passage, Extraction]] = []
        stored = monotonic()
        work = partial(self._read, job)
        most = self.settings.graph_chunks_in_flight
        async with aclosing(self._passages(job)) as passages, aclosing(in_flight(passages, work, most)) as results:
            async for done in results:
                found += done
                if len(found) >= _STORED_AT_ONCE or monotonic() - stored > _STORED_AFTER:
                    await self._store(job, found)
                    found, stored = [], monotonic()
        await self._store(job, found)

    async def _read(self, job: Job, passage: Passage) -> tuple[Passage, Extraction]:
        began = monotonic()
        extract = partial(self.extractor.extract, passage)
        try:
            found = await self.jobs.retry_until_available(job.id, extract, self.settings.graph_attempts)
        except (DeadlineExceeded, ContextLengthExceeded) as error:
            log.warning("chunk read by patterns", job=job.id, error=type(error).__name__)
            found = replace(await self.patterns.extract(passage), failed=True)
        self.metrics.on_chunk(found, monotonic() - began)
        return passage, found

    async def _passages(self, job: Job) -> AsyncGenerator[Passage, None]:
        """Yield the chunks that wait, with their text: some pages of one document after the other."""
        async with self.database.reading() as session:
            statement = (
                select(Document)
                .where(Document.collection == job.collection)
                .where(select(Chunk.id).where(Chunk.document_id == Document.id, Chunk.done.is_(False)).exists())
                .order_by(Document.id)
            )
            documents = list(await session.scalars(statement))
        for document in documents:
            async with self.database.reading() as session:
                waiting = select(Chunk).where(Chunk.document_id == document.id, Chunk.done.is_(False))
                chunks = list(await session.scalars(waiting.order_by(Chunk.page, Chunk.start)))
            first = 1
            while chunks:
                first += (chunks[0].page - first) // PAGES * PAGES
                here = [chunk for chunk in chunks if chunk.page < first + PAGES]
                chunks = chunks[len(here) :]
                try:
                    pages = await self._pages(job, document.id, first)
                except NotFound:
                    await self._forget(document.id)
                    break
                for passage in await self._with_text(job.collection, document, pages, here):
                    yield passage

    async def _with_text(
        self, collection: str, document: Document, pages: Sequence[RagPage], chunks: Sequence[Chunk]
    ) -> list[Passage]:
        texts = {page.number: page.text for page in pages}
        gazetteer = await asyncio.to_thread(Gazetteer.of, [document.title, *texts.values()], document.language)
        async with self.database.reading() as session:
            known = await storage.types_of(session, collection, gazetteer.seen, self.settings.types)
        gazetteer = gazetteer.with_known(known)
        return [
            Passage(
                chunk.id,
                document.id,
                document.title,
                chunk.page,
                chunk.start,
                texts.get(chunk.page, "")[chunk.start : chunk.end],
                gazetteer,
            )
            for chunk in chunks
        ]

    async def _store(self, job: Job, found: Sequence[tuple[Passage, Extraction]]) -> None:
        if not found:
            return
        async with self.database.writing() as session:
            for passage, extraction in found:
                await storage.store(session, job.collection, passage, extraction)
            done = {"chunks_done": Job.chunks_done + len(found), "waiting_for": None}
            await session.execute(update(Job).where(Job.id == job.id).values(done))
            extractor = {"extractor": found[-1][1].by}
            await session.execute(update(Graph).where(Graph.collection == job.collection).values(extractor))
        self.jobs.metrics.progressed("graph", "chunks", len(found))
