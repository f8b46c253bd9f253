"""Ingestion as a durable job: parse, chunk, embed, finish. Each step may be run again from its start."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service import index_rows, lost_pages, versions
from rag_service.batches import batched
from rag_service.chunking import Chunker, PageOf, Piece
from rag_service.documents import Documents
from rag_service.indexes import WRITTEN_AT_ONCE, Indexes, wrong_model_waits
from rag_service.keyword import ChunkWords, KeywordIndex
from rag_service.keyword.analysis import language_of
from rag_service.tables import Chunk, Document, Job, PageText
from service_kit.database import Database
from service_kit.durable import Task
from service_kit.errors import Conflict
from service_kit.jobs import CANCELLED, FAILED, OPEN, READY, Jobs
from service_kit.originals import Originals
from service_kit.processor import FIGURE, WITHOUT_MARKUP, DocProcessor, NoText, ProcessedHead, ProcessedPage

log = structlog.get_logger(__name__)
_PAGE_BATCH_SECONDS = 0.3
_REREAD_CONCURRENCY = 1
_FOUND_EARLY_SECONDS = 2.0


@dataclass(slots=True)
class Ingestion:
    """The steps of one job; the rows record what is done, so that a killed process goes on where it stopped."""

    database: Database
    jobs: Jobs[Job]
    originals: Originals
    processor: DocProcessor
    make_chunker: Callable[[], Chunker]
    documents: Documents
    keyword: KeywordIndex
    indexes: Indexes
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """By collection: one document is embedded to its end before the next, so that the first is not as late as the last."""

    def task(self, concurrency: int) -> Task:
        """Return the reading of a document."""
        return Task("ingest", (self.parse, self.chunk, self.embed, self.finish, self.tidy_up), self.failed, concurrency)

    def reread_task(self) -> Task:
        """Return the reading of a ready document's lost pages, which it gains while it goes on answering."""
        return Task(lost_pages.KIND, (self.reread, self.embed, self.finish), self.failed, _REREAD_CONCURRENCY)

    async def reread(self, job_id: str) -> None:
        """Read the lost pages once more; those that are lost again stay so."""
        document = await self._begin(job_id, "parsing")
        async with self.database.reading() as session:
            lost = await lost_pages.lost_pages(session, document)
        await self._set_job(job_id, pages_done=0, pages_total=len(lost))
        for number in lost:
            await self.jobs.retry_until_available(job_id, lambda page=number: self._reread(job_id, document, page))  # type: ignore[misc]

    async def _reread(self, job_id: str, document: Document, number: int) -> None:
        path, owner = self.originals.path(document.sha256), document.collection
        described = await self._described(document)
        async with aclosing(self.processor.process(path, document.filename, number, owner, described)) as events:
            page = await anext((event async for event in events if isinstance(event, ProcessedPage)), None)
        async with self._open(job_id) as session:
            await session.execute(
                update(Job).where(Job.id == job_id).values(pages_done=Job.pages_done + 1, waiting_for=None)
            )
            row = await session.get(Document, document.id)
            if page is None or row is None or row.status != READY:
                # Replaced meanwhile, or on its way out.
                return
            await session.merge(_row(document.id, page))
            await session.flush()
            cut = [PageOf(number, page.text, page.engine not in WITHOUT_MARKUP)]
            pieces = await asyncio.to_thread(lambda: list(self.make_chunker().chunk(cut)))
            first = await session.scalar(select(func.max(Chunk.ordinal)).where(Chunk.document_id == document.id))
            if pieces:
                await self._add_chunks(session, row, row.language or "", pieces, 0 if first is None else first + 1)
            row.chunks += len(pieces)
            row.warnings = lost_pages.naming(row.warnings, await lost_pages.lost_pages(session, row))
            await session.execute(update(Job).where(Job.id == job_id).values(chunks_total=row.chunks))

    async def parse(self, job_id: str) -> None:
        """Store the text of each page; pages stored before a restart are not read again."""
        document = await self._begin(job_id, "parsing")
        await self.jobs.retry_until_available(job_id, lambda: self._parse(job_id, document))

    async def _parse(self, job_id: str, document: Document) -> None:
        async with self.database.reading() as session:
            latest = select(func.max(PageText.number)).where(PageText.document_id == document.id)
            done = await session.scalar(latest) or 0
        if done and done == document.pages:
            # A version that is restored.
            await self._set_job(job_id, pages_done=done, pages_total=done)
            return
        path = self.originals.path(document.sha256)
        uncut, cut_at = 0, monotonic() + _FOUND_EARLY_SECONDS
        described = await self._described(document)
        pages = self.processor.process(path, document.filename, done + 1, document.collection, described)
        async with aclosing(batched(pages, _PAGE_BATCH_SECONDS, _FOUND_EARLY_SECONDS)) as batches:
            async for events in batches:
                for head in (event for event in events if isinstance(event, ProcessedHead)):
                    # A title that was given with the document stands before its own.
                    properties = head.properties | document.properties
                    found: dict[str, Any] = {"title": properties["title"]} if "title" in properties else {}
                    found |= {"media_type": head.media_type, "warnings": head.warnings, "properties": properties}
                    await self._set_document(document.id, **found)
                    await self._set_job(job_id, pages_done=done, pages_total=head.pages_total)
                read = [event for event in events if isinstance(event, ProcessedPage)]
                done, uncut = done + len(read), uncut + len(read)
                # A document that takes longer is not to be found only when its last page has been read.
                begun = monotonic()
                found_now = uncut > 0 and begun > cut_at
                if read or found_now:
                    await self._store_pages(job_id, document, read, found_now=found_now)
                if found_now:
                    # All is cut again at the end, so that this may take a fifth of the time.
                    ended = monotonic()
                    uncut, cut_at = 0, ended + max(_FOUND_EARLY_SECONDS, 4 * (ended - begun))
        await self._set_job(job_id, pages_done=done, pages_total=done)

    async def _described(self, document: Document) -> int:
        """Return how many pictures of the document's pages have been described: only so many are, over all restarts."""
        left = func.length(func.replace(PageText.text, FIGURE, ""))
        characters = func.coalesce(func.sum(func.length(PageText.text) - left), 0)
        async with self.database.reading() as session:
            of_figures = await session.scalar(select(characters).where(PageText.document_id == document.id))
        return (of_figures or 0) // len(FIGURE)

    async def _store_pages(
        self, job_id: str, document: Document, pages: Sequence[ProcessedPage], *, found_now: bool
    ) -> None:
        async with self._open(job_id) as session:
            for page in pages:
                await session.merge(_row(document.id, page))
            changes = {Job.pages_done: Job.pages_done + len(pages), Job.waiting_for: None}
            await session.execute(update(Job).where(Job.id == job_id).values(changes))
            if found_now:
                await self._let_be_found(session, document)
        self.jobs.metrics.progressed("ingest", "pages", len(pages))

    async def _let_be_found(self, session: AsyncSession, document: Document) -> None:
        """Cut the pages that no chunk is of, for the keywords; `chunk` does it anew when it has all of them."""
        latest = select(func.max(Chunk.page), func.max(Chunk.ordinal)).where(Chunk.document_id == document.id)
        page, ordinal = (await session.execute(latest)).one()
        of_rest = (PageText.document_id == document.id) & (PageText.number > (page or 0))
        statement = select(PageText.number, PageText.text, PageText.engine).where(of_rest)
        pages = _to_cut(await session.execute(statement.order_by(PageText.number)))
        pieces = await asyncio.to_thread(lambda: list(self.make_chunker().chunk(pages)))
        if pieces:
            language = await asyncio.to_thread(language_of, "\n".join(page.text for page in pages))
            await self._add_chunks(session, document, language, pieces, 0 if ordinal is None else ordinal + 1)
            await versions.let_be_found(session, document)

    async def _add_chunks(
        self, session: AsyncSession, document: Document, language: str, pieces: list[Piece], first: int = 0
    ) -> None:
        made = await session.scalars(insert(Chunk).returning(Chunk), _rows(document.id, pieces, first))
        words = [ChunkWords(chunk.id, document.title, chunk.heading, chunk.text) for chunk in made]
        await self.keyword.add(session, document.collection, language, words)

    async def chunk(self, job_id: str) -> None:
        """Replace the document's chunks, and their full text, in one transaction; raises `NoText` if there are none."""
        document = await self._begin(job_id, "chunking")
        async with self.database.reading() as session:
            of_document = PageText.document_id == document.id
            statement = select(PageText.number, PageText.text, PageText.engine).where(of_document)
            pages = _to_cut(await session.execute(statement.order_by(PageText.number)))
        pieces = await asyncio.to_thread(lambda: list(self.make_chunker().chunk(pages)))
        language = await asyncio.to_thread(language_of, "\n".join(page.text for page in pages))
        if not pieces:
            raise NoText("no text was found in this document; if it is a scan, see the warnings of its pages")
        async with self._open(job_id) as session:
            await versions.forget_chunks(session, self.keyword, document)
            await versions.let_be_found(session, document)
            await self._add_chunks(session, document, language, pieces)
            row = await session.get_one(Document, document.id)
            row.pages, row.chunks, row.language = len(pages), len(pieces), language
            row.warnings = lost_pages.naming(row.warnings, await lost_pages.lost_pages(session, document))
            await session.execute(update(Job).where(Job.id == job_id).values(chunks_total=len(pieces), chunks_done=0))

    async def embed(self, job_id: str) -> None:
        """Make the vectors that are missing, batch by batch; waits for as long as the model server is away."""
        document = await self._begin(job_id, "embedding")
        async with self._turns[document.collection]:
            while await self.jobs.retry_until_available(job_id, lambda: self._embed_batch(job_id, document)):
                pass

    async def _embed_batch(self, job_id: str, document: Document) -> bool:
        async with self.database.reading() as session:
            statement = select(Chunk).where(Chunk.document_id == document.id, Chunk.embedded.is_(False))
            chunks = list(await session.scalars(statement.order_by(Chunk.ordinal).limit(WRITTEN_AT_ONCE)))
        if not chunks:
            return False
        with wrong_model_waits():
            index = await self.indexes.ensure(document.collection)

        async def record(session: AsyncSession, stored: Sequence[Chunk]) -> None:
            active = await index_rows.active(session, document.collection)
            # Where another index has replaced it meanwhile, its swap has recorded which chunks are in that one.
            if active is not None and active.id == index.id:
                ids = [chunk.id for chunk in stored]
                await session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(embedded=True))
            done = select(func.count()).where(Chunk.document_id == document.id, Chunk.embedded.is_(True))
            changes = {"chunks_done": done.scalar_subquery(), "waiting_for": None}
            await session.execute(update(Job).where(Job.id == job_id).values(changes))
            self.jobs.metrics.progressed("ingest", "chunks", len(stored))

        await self.indexes.write(index, [(chunk, document.title) for chunk in chunks], record)
        return True

    async def finish(self, job_id: str) -> None:
        """Let the document be found, in place of its older version if it has one."""
        async with self.jobs.finishing(job_id) as (session, job):
            document = await session.get_one(Document, job.document_id, populate_existing=True)
            await versions.settle(session, self.keyword, document)
        log.info("document ready", document=job.document_id, pages=job.pages_done, chunks=job.chunks_done)

    async def tidy_up(self, job_id: str) -> None:
        """Delete what the versions before have left."""
        async with self.database.reading() as session:
            job = await session.get_one(Job, job_id)
            document = await session.get(Document, job.document_id)
        if document is not None:
            await self.jobs.retry_until_available(job_id, lambda: self.documents.tidy_up(document))

    async def failed(self, job_id: str, error: Exception) -> None:
        """Record the problem, and delete what was stored of the document except its row."""
        await self.jobs.fail(job_id, error)
        async with self.database.reading() as session:
            job = await session.get(Job, job_id)
            document = await session.get(Document, job.document_id) if job is not None else None
        if document is not None and document.status in (FAILED, CANCELLED):
            await self.documents.forget_vectors(document)

    async def index_words(self) -> None:
        """Put documents of an earlier release into the keyword index of this one; a killed start goes on where it stopped."""
        waiting = select(Document.id).where(Document.language.is_(None), Document.chunks > 0)
        async with self.database.reading() as session:
            ids = list(await session.scalars(waiting))
        for number, document_id in enumerate(ids):
            if number % 100 == 0:
                log.info("making the keyword index", documents_done=number, documents_total=len(ids))
            async with self.database.writing() as session:
                document = await session.get(Document, document_id, with_for_update=True)
                if document is None or document.language is not None:
                    continue
                statement = select(Chunk).where(Chunk.document_id == document_id).order_by(Chunk.ordinal)
                chunks = list(await session.scalars(statement))
                language = await asyncio.to_thread(language_of, "\n".join(chunk.text for chunk in chunks))
                words = [ChunkWords(chunk.id, document.title, chunk.heading, chunk.text) for chunk in chunks]
                await self.keyword.add(session, document.collection, language, words)
                document.language = language

    async def _begin(self, job_id: str, stage: str) -> Document:
        job = await self.jobs.begin(job_id, stage)
        async with self.database.reading() as session:
            return await session.get_one(Document, job.document_id)

    @asynccontextmanager
    async def _open(self, job_id: str) -> AsyncGenerator[AsyncSession, None]:
        """Write for a job that is still open; raises `Conflict` for one that was cancelled, whose text is gone already."""
        async with self.database.writing() as session:
            if await session.scalar(select(Job.status).where(Job.id == job_id)) not in OPEN:
                raise Conflict("this job has ended")
            yield session

    async def _set_job(self, job_id: str, **values: Any) -> None:
        async with self.database.writing() as session:
            await session.execute(update(Job).where(Job.id == job_id).values(**values))

    async def _set_document(self, document_id: str, **values: Any) -> None:
        async with self.database.writing() as session:
            await session.execute(update(Document).where(Document.id == document_id).values(**values))


def _row(document_id: str, page: ProcessedPage) -> PageText:
    return PageText(
        document_id=document_id,
        number=page.number,
        text=page.text,
        engine=page.engine,
        confidence=page.confidence,
        warnings=page.warnings,
        words=page.words,
        label=page.label,
    )


def _to_cut(rows: Iterable[Any]) -> list[PageOf]:
    return [PageOf(row.number, row.text, row.engine not in WITHOUT_MARKUP) for row in rows]


def _rows(document_id: str, pieces: list[Piece], first: int) -> list[dict[str, Any]]:
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
        for ordinal, piece in enumerate(pieces, first)
    ]
