"""A new index beside the one that answers: built by a durable job in the order of the chunks' ids, then swapped in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_providers.errors import NotConfigured
from llm_providers.spaces import BackendSpace, Fingerprint
from rag_service import index_rows as rows
from rag_service.indexes import WRITTEN_AT_ONCE, Indexes, new_index
from rag_service.tables import ACTIVE, BUILDING, DROPPED, RETIRED, Chunk, Collection, Document, Index, Job
from service_kit.durable import Task
from service_kit.errors import Conflict, InvalidInput, NotFound
from service_kit.ids import new_id
from service_kit.jobs import Jobs

log = structlog.get_logger(__name__)
KIND = "fill"
_CONCURRENCY = 4


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index and how many of the collection's chunks are in it."""

    index: Index
    chunks_done: int
    chunks_total: int


@dataclass(slots=True)
class IndexBuild:
    """Starts builds, swaps and rolls back; its rows say how far a build is, so that a killed process goes on from there.

    An index that answers already (after a rollback) is completed with what was added while it did not.
    """

    jobs: Jobs[Job]
    indexes: Indexes

    # --- what callers ask for

    async def start(self, collection: str, provider: str | None = None) -> str:
        """Begin to build an index beside the one that answers, by `provider` or by the one in use; return the job's id.

        A retired index of the same space is completed instead of a new one. Raises `NotFound`, `Conflict` while one is
        being built, `InvalidInput` for a provider without embeddings, and what the provider raises if it is away: then
        nothing was changed.
        """
        async with self.indexes.database.reading() as session:
            await _require(session, collection)
            await rows.refuse_if_building(session, collection)
            retired = await rows.with_status(session, collection, RETIRED) if provider else []
        backend = provider or await self._backend_in_use(collection)
        try:
            space = await self.indexes.fingerprint(backend)
        except NotConfigured as error:
            raise InvalidInput(str(error), field="provider") from error
        reusable = await self._same_space(retired, backend, space)
        job = Job(id=new_id("job"), kind=KIND, collection=collection)
        async with self.indexes.database.writing() as session:
            await rows.refuse_if_building(session, collection)
            index = await session.get(Index, reusable.id) if reusable is not None else None
            # It may have been dropped meanwhile.
            if index is None or index.status != RETIRED:
                index = new_index(collection, BackendSpace(backend, space))
                session.add(index)
            index.status, index.job_id = BUILDING, job.id
            await _add(session, index, job)
        await self.jobs.start(job.id, kind=KIND)
        return job.id

    async def rollback(self, collection: str) -> str | None:
        """Let the index before this one answer again, at once; return the job that completes it, None if none is needed.

        What was added since is found by keywords until that job has embedded it. Raises `NotFound`, and `Conflict` if
        there is no index to go back to, or one is being built.
        """
        async with self.indexes.database.writing() as session:
            await _require(session, collection)
            await rows.refuse_if_building(session, collection)
            retired = await rows.with_status(session, collection, RETIRED)
            if not retired:
                raise Conflict(f"{collection!r} has no earlier index to go back to", field="collection")
            left, index = await rows.active(session, collection), retired[0]
            await rows.activate(session, index)
            index.job_id = None
            job = None
            if await rows.next_chunks(session, index, 1):
                job = Job(id=new_id("job"), kind=KIND, collection=collection)
                index.job_id = job.id
                await _add(session, index, job)
        if left is not None and left.job_id is not None:
            await self.jobs.stop(left.job_id)
        if job is not None:
            await self.jobs.start(job.id, kind=KIND)
        return job.id if job else None

    async def states(self, collection: str) -> list[IndexState]:
        """Return the collection's indexes, the one that answers first."""
        states = []
        async with self.indexes.database.reading() as session:
            for index in await rows.with_status(session, collection, ACTIVE, BUILDING, RETIRED):
                row = (await session.execute(select(*rows.progress(index)))).one()
                states.append(IndexState(index, row[0], row[1]))
        return sorted(states, key=lambda state: state.index.status != ACTIVE)

    async def models(self) -> dict[str, dict[str, Any]]:
        """Return what is known of the model whose vectors answer, by collection."""
        async with self.indexes.database.reading() as session:
            statement = select(Index.collection, Index.model).where(Index.status == ACTIVE)
            return {row[0]: row[1] for row in await session.execute(statement)}

    async def sample(self, collection: str, size: int) -> list[tuple[Chunk, str]]:
        """Return up to `size` chunks from all over the collection, each with its document's title."""
        chunks = select(Chunk, Document.title).join(Document).where(rows.indexable(collection))
        async with self.indexes.database.reading() as session:
            await _require(session, collection)
            count = await session.scalar(select(func.count()).select_from(chunks.subquery())) or 0
            spread = chunks.where(Chunk.id % max(1, count // size) == 0).order_by(Chunk.id).limit(size)
            return [(row[0], row[1]) for row in await session.execute(spread)]

    # --- the job

    def task(self) -> Task:
        return Task(KIND, (self.fill, self.tidy_up), self.jobs.fail, _CONCURRENCY)

    async def fill(self, job_id: str) -> None:
        """Embed what is missing, wait for as long as the backend or Chroma is away, and let the index answer."""
        try:
            await self.jobs.begin(job_id, "embedding")
            while await self.jobs.retry_until_available(job_id, lambda: self._batch(job_id)):
                pass
        except asyncio.CancelledError:
            # By a caller, who wants it gone; if it is the process that stops, there is nothing to be dropped.
            with suppress(Exception):
                await self.delete_dropped()
            raise

    async def tidy_up(self, job_id: str) -> None:
        """Delete the indexes that can't be rolled back to any more."""
        await self.jobs.retry_until_available(job_id, self.delete_dropped)

    async def delete_dropped(self) -> None:
        """Delete the vectors and rows of dropped indexes."""
        database = self.indexes.database
        async with database.reading() as session:
            dropped = list(await session.scalars(select(Index).where(Index.status == DROPPED)))
        for index in dropped:
            await self.indexes.vectors.drop(index.name)
            async with database.writing() as session:
                if (row := await session.get(Index, index.id)) is not None:
                    await session.delete(row)
            log.info("index dropped", collection=index.collection, backend=index.backend)

    async def _batch(self, job_id: str) -> bool:
        """Embed some chunks, or finish; return whether there is more to do."""
        async with self.indexes.database.reading() as session:
            index = await rows.index_of_job(session, job_id)
            chunks = await rows.next_chunks(session, index, WRITTEN_AT_ONCE)
        if not chunks:
            await self._delete_orphans(index)
            return not await self._finish(job_id)

        async def record(session: AsyncSession, stored: Sequence[Chunk]) -> None:
            row = await session.get(Index, index.id)
            if row is not None and row.status == BUILDING:
                row.filled_to = max(row.filled_to, stored[-1].id)
            elif row is not None and row.status == ACTIVE == index.status:
                ids = [chunk.id for chunk in stored]
                await session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(embedded=True))
            if row is not None:
                done = Job.chunks_done + len(stored)
                total = case((Job.chunks_total < done, done), else_=Job.chunks_total)
                values = {"chunks_done": done, "chunks_total": total, "waiting_for": None}
                await session.execute(update(Job).where(Job.id == job_id).values(values))

            self.jobs.metrics.progressed(KIND, "chunks", len(stored))

        await self.indexes.write(index, chunks, record)
        return True

    async def _delete_orphans(self, index: Index) -> None:
        """Delete vectors of documents that are in no index: a process that was killed between two stores may leave some."""
        stored = await self.indexes.vectors.documents(index.name)
        async with self.indexes.database.reading() as session:
            known = set(await session.scalars(select(Document.id).where(rows.indexable(index.collection))))
        for document in stored - known:
            count = await self.indexes.vectors.delete_document(index.name, document)
            log.warning("vectors without a document removed", document=document, count=count)

    async def _finish(self, job_id: str) -> bool:
        """Swap, unless chunks have come meanwhile; return whether the job is done."""
        try:
            async with self.jobs.finishing(job_id) as (session, job):
                index = await rows.index_of_job(session, job_id)
                if await rows.next_chunks(session, index, 1):
                    raise _MoreChunks
                if index.status == BUILDING:
                    await rows.activate(session, index)
                await session.flush()
                row = (await session.execute(select(*rows.progress(index)))).one()
                job.chunks_done, job.chunks_total = row[0], row[1]
        except _MoreChunks:
            return False
        log.info("index answers", collection=index.collection, backend=index.backend)
        return True

    async def _backend_in_use(self, collection: str) -> str:
        index, backends = await self.indexes.active(collection), self.indexes.fallback.backends
        if index is None:
            return backends.stable
        backend = (await self.indexes.space(index)).backend
        try:
            await backends.embedder(backend)
        except NotConfigured:
            return backends.stable
        return backend

    async def _same_space(self, retired: list[Index], backend: str, space: Fingerprint) -> Index | None:
        for index in retired:
            own = await self.indexes.space(index)
            if own.backend == backend and own.space.differs_from(space) is None:
                return index
        return None


class _MoreChunks(Exception):
    """Chunks were added between the last look and the swap: the transaction is undone."""


async def _require(session: AsyncSession, collection: str) -> None:
    if await session.get(Collection, collection) is None:
        raise NotFound(f"there is no collection {collection!r}", field="collection")


async def _add(session: AsyncSession, index: Index, job: Job) -> None:
    await session.flush()
    row = (await session.execute(select(*rows.progress(index)))).one()
    job.chunks_done, job.chunks_total = row[0], row[1]
    session.add(job)
