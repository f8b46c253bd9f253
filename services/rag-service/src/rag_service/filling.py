"""The filling of an index as a durable job: beside the one that answers, in the order of the chunks' ids, then the swap."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service import indexes
from rag_service.spaces import Space, Spaces
from rag_service.tables import ACTIVE, DROPPED, FILLING, Chunk, Document, Job, VectorSpace
from rag_service.vectors import VectorIndex
from rag_service.writing import BATCH, Writer
from service_kit.database import Database
from service_kit.durable import Task
from service_kit.errors import Conflict, problem
from service_kit.jobs import CANCELLED, FAILED, QUEUED, READY, RUNNING, Jobs

log = structlog.get_logger(__name__)
KIND = "fill"
_CONCURRENCY = 4


class Filling:
    """The steps of one such job; the index's row says how far it is, so that a killed process goes on from there.

    An index that answers already (after a rollback) is filled up with what was added while it did not.
    """

    def __init__(
        self, database: Database, jobs: Jobs[Job], vectors: VectorIndex, spaces: Spaces, writer: Writer
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._vectors = vectors
        self._spaces = spaces
        self._writer = writer

    def task(self) -> Task:
        return Task(KIND, (self.fill, self.tidy_up), self.failed, _CONCURRENCY)

    async def fill(self, job_id: str) -> None:
        """Embed what is missing, wait for as long as the backend or Chroma is away, and let the index answer."""
        try:
            await self._begin(job_id)
            while await self._jobs.retry_until_available(job_id, lambda: self._batch(job_id)):
                pass
        except asyncio.CancelledError:
            # By a caller, who wants it gone; if it is the process that stops, there is nothing to be dropped.
            with suppress(Exception):
                await self.tidy()
            raise

    async def tidy_up(self, job_id: str) -> None:
        """Remove the indexes that nobody can go back to any more."""
        await self._jobs.retry_until_available(job_id, self.tidy)

    async def tidy(self) -> None:
        async with self._database.reading() as session:
            dropped = list(await session.scalars(select(VectorSpace).where(VectorSpace.status == DROPPED)))
        for index in dropped:
            await self._vectors.drop(index.name)
            async with self._database.writing() as session:
                if (row := await session.get(VectorSpace, index.id)) is not None:
                    await session.delete(row)
            log.info("index dropped", collection=index.collection, backend=index.backend)

    async def failed(self, job_id: str, error: Exception) -> None:
        """Record why; the index that answers goes on doing so."""
        async with self._database.writing() as session:
            job = await session.get(Job, job_id)
            if job is None or job.status == CANCELLED:
                return
            job.status, job.waiting_for, job.error = FAILED, None, problem(error)
            for index in await session.scalars(select(VectorSpace).where(VectorSpace.job_id == job_id)):
                indexes.give_up(index)
        self._jobs.metrics.ended(KIND, FAILED)

    async def _begin(self, job_id: str) -> None:
        async with self._database.writing() as session:
            job = await session.get_one(Job, job_id)
            if job.status not in (QUEUED, RUNNING):
                raise Conflict(f"this job is {job.status}")
            job.status, job.stage = RUNNING, "embedding"

    async def _batch(self, job_id: str) -> bool:
        """Do a part; return whether there is more to do."""
        async with self._database.reading() as session:
            index = await self._mine(session, job_id)
            chunks = await indexes.next_chunks(session, index, BATCH)
        space = await self._spaces.of(index)
        if not chunks:
            await self._compare(space)
            return not await self._finish(job_id)

        async def record(session: AsyncSession) -> None:
            row = await session.get(VectorSpace, index.id)
            if row is not None and row.status == FILLING:
                row.filled_to = max(row.filled_to, chunks[-1][0].id)
            elif row is not None and row.status == ACTIVE == index.status:
                ids = [chunk.id for chunk, _ in chunks]
                await session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(embedded=True))
            if row is not None:
                done = Job.chunks_done + len(chunks)
                total = case((Job.chunks_total < done, done), else_=Job.chunks_total)
                values = {"chunks_done": done, "chunks_total": total, "waiting_for": None}
                await session.execute(update(Job).where(Job.id == job_id).values(values))

        await self._writer.write(space, chunks, record)
        self._jobs.metrics.progressed(KIND, "chunks", len(chunks))
        return True

    async def _compare(self, space: Space) -> None:
        """Remove vectors of documents that are no more: a process that was killed between two stores may leave some."""
        stored = await self._vectors.documents(space.name)
        async with self._database.reading() as session:
            known = set(await session.scalars(select(Document.id).where(Document.collection == space.collection)))
        for document in stored - known:
            count = await self._vectors.delete_document(space.name, document)
            log.warning("vectors without a document removed", document=document, count=count)

    async def _finish(self, job_id: str) -> bool:
        """Swap, unless chunks have come meanwhile; return whether the job is done."""
        async with self._database.writing() as session:
            index = await self._mine(session, job_id)
            if await indexes.next_chunks(session, index, 1):
                return False
            if index.status == FILLING:
                await indexes.activate(session, index)
            await session.flush()
            done, total = indexes.progress(index)
            values = {"status": READY, "stage": "done", "waiting_for": None, "chunks_done": done, "chunks_total": total}
            await session.execute(update(Job).where(Job.id == job_id, Job.status == RUNNING).values(values))
        self._jobs.metrics.ended(KIND, READY)
        log.info("index answers", collection=index.collection, backend=index.backend)
        return True

    async def _mine(self, session: AsyncSession, job_id: str) -> VectorSpace:
        index = await session.scalar(select(VectorSpace).where(VectorSpace.job_id == job_id))
        if index is None or index.status not in (FILLING, ACTIVE):
            raise Conflict("another index has taken over from this one")
        return index
