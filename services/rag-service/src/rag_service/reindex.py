"""Moving a collection to another embedding space, and back: the index that answers does so until the other one can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_providers.errors import NotConfigured
from llm_providers.spaces import BackendSpace, Fingerprint
from rag_service import indexes
from rag_service.filling import KIND
from rag_service.spaces import Spaces, new_index
from rag_service.tables import ACTIVE, FILLING, RETIRED, Chunk, Collection, Document, Job, VectorSpace
from service_kit.database import Database
from service_kit.errors import Conflict, InvalidInput, NotFound
from service_kit.ids import new_id
from service_kit.jobs import Jobs


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index and how many of the collection's chunks are in it."""

    index: VectorSpace
    chunks_done: int
    chunks_total: int


class Reindexer:
    """Begins fillings and goes back; `Filling` does the long part."""

    def __init__(self, database: Database, spaces: Spaces, jobs: Jobs[Job]) -> None:
        self._database = database
        self._spaces = spaces
        self._jobs = jobs

    async def start(self, collection: str, provider: str | None = None) -> str:
        """Begin to fill an index beside the one that answers, by `provider` or by the one in use; return the job's id.

        An index that was made by `provider` before, and kept, is filled up rather than made anew. Raises `NotFound`,
        `Conflict` while one is being filled, `InvalidInput` for a provider that does not serve embeddings, and what the
        provider raises if it is away: then nothing was changed.
        """
        async with self._database.reading() as session:
            if await session.get(Collection, collection) is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            await indexes.refuse_if_filling(session, collection)
            kept = await indexes.with_status(session, collection, RETIRED) if provider else []
        backend = provider or await self._backend_in_use(collection)
        try:
            space = await self._spaces.fingerprint(backend)
        except NotConfigured as error:
            raise InvalidInput(f"{backend!r} does not serve embeddings: {error}", field="provider") from error
        again = await self._same(kept, backend, space)
        job = Job(id=new_id("job"), kind=KIND, collection=collection)
        async with self._database.writing() as session:
            await indexes.refuse_if_filling(session, collection)
            index = await session.get(VectorSpace, again.id) if again else None
            if index is None or index.status != RETIRED:
                index = new_index(collection, BackendSpace(backend, space))
                session.add(index)
            index.status, index.job_id = FILLING, job.id
            await self._add(session, index, job)
        await self._jobs.start(job.id, kind=KIND)
        return job.id

    async def rollback(self, collection: str) -> str | None:
        """Let the index before this one answer again, at once; return the job that fills it up, None if none is needed.

        What was added since is found by keywords until that job has embedded it. Raises `NotFound`, and `Conflict` if
        there is no index to go back to, or one is being filled.
        """
        async with self._database.writing() as session:
            if await session.get(Collection, collection) is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            await indexes.refuse_if_filling(session, collection)
            kept = await indexes.with_status(session, collection, RETIRED)
            if not kept:
                raise Conflict(f"{collection!r} has no earlier index to go back to", field="collection")
            left, index = await indexes.active(session, collection), kept[0]
            await indexes.activate(session, index)
            index.job_id = None
            job = None
            if await indexes.next_chunks(session, index, 1):
                job = Job(id=new_id("job"), kind=KIND, collection=collection)
                index.job_id = job.id
                await self._add(session, index, job)
        if left is not None and left.job_id is not None:
            await self._jobs.stop(left.job_id)
        if job is not None:
            await self._jobs.start(job.id, kind=KIND)
        return job.id if job else None

    async def states(self, collection: str) -> list[IndexState]:
        """Return the collection's indexes, the one that answers first."""
        states = []
        async with self._database.reading() as session:
            for index in await indexes.with_status(session, collection, ACTIVE, FILLING, RETIRED):
                row = (await session.execute(select(*indexes.progress(index)))).one()
                states.append(IndexState(index, row[0], row[1]))
        return sorted(states, key=lambda state: state.index.status != ACTIVE)

    async def models(self) -> dict[str, dict[str, Any]]:
        """Return what is known of the model whose vectors answer, by collection."""
        async with self._database.reading() as session:
            statement = select(VectorSpace.collection, VectorSpace.model).where(VectorSpace.status == ACTIVE)
            return {row[0]: row[1] for row in await session.execute(statement)}

    async def sample(self, collection: str, size: int) -> list[tuple[Chunk, str]]:
        """Return up to `size` chunks from all over the collection, each with its document's title."""
        mine = select(Chunk, Document.title).join(Document).where(indexes.counted(collection))
        async with self._database.reading() as session:
            if await session.get(Collection, collection) is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            count = await session.scalar(select(func.count()).select_from(mine.subquery())) or 0
            spread = mine.where(Chunk.id % max(1, count // size) == 0).order_by(Chunk.id).limit(size)
            return [(row[0], row[1]) for row in await session.execute(spread)]

    async def _backend_in_use(self, collection: str) -> str:
        space, backends = await self._spaces.active(collection), self._spaces.fallback.backends
        if space is None:
            return backends.stable
        try:
            await backends.embedder(space.home.backend)
        except NotConfigured:
            return backends.stable
        return space.home.backend

    async def _same(self, kept: list[VectorSpace], backend: str, space: Fingerprint) -> VectorSpace | None:
        for index in kept:
            home = (await self._spaces.of(index)).home
            if home.backend == backend and home.space.differs_from(space) is None:
                return index
        return None

    async def _add(self, session: AsyncSession, index: VectorSpace, job: Job) -> None:
        await session.flush()
        done, total = indexes.progress(index)
        row = (await session.execute(select(done, total))).one()
        job.chunks_done, job.chunks_total = row[0], row[1]
        session.add(job)
