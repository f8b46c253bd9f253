"""Rebuilds a collection's vectors from its rows, in the space of the model in use."""

from __future__ import annotations

from sqlalchemy import func, select, update

from llm_providers.spaces import Fingerprint
from rag_service.spaces import SpaceGuard, space_index
from rag_service.tables import DELETING, Chunk, Collection, Document, Job
from rag_service.vectors import VectorIndex
from service_kit.database import Database
from service_kit.errors import NotFound
from service_kit.ids import new_id
from service_kit.jobs import CANCELLED, FAILED, QUEUED, Jobs


class Reindexer:
    """Drops what Chroma holds of a collection; the ingestion's own last steps fill it again."""

    def __init__(self, database: Database, vectors: VectorIndex, spaces: SpaceGuard, jobs: Jobs[Job]) -> None:
        self._database = database
        self._vectors = vectors
        self._spaces = spaces
        self._jobs = jobs

    async def start(self, collection: str) -> list[str]:
        """Begin a job per document and return their ids; keyword search goes on meanwhile.

        Raises `NotFound`, and what the embedding model raises if it is away: then nothing was changed.
        """
        current = await self._spaces.current()
        jobs: list[str] = []
        async with self._database.writing() as session:
            found = await session.get(Collection, collection)
            if found is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            old = space_index(collection, Fingerprint.from_json(found.space)) if found.space else None
            found.space = current.to_json()
            left_out = [DELETING, FAILED, CANCELLED]
            statement = select(Document).where(Document.collection == collection, Document.status.not_in(left_out))
            documents = list(await session.scalars(statement.order_by(Document.id)))
            count = select(func.count()).select_from(Chunk)
            await session.execute(
                update(Chunk)
                .where(Chunk.document_id.in_([document.id for document in documents]))
                .values(embedded=False)
            )
            for document in documents:
                total = await session.scalar(count.where(Chunk.document_id == document.id))
                job = Job(
                    id=new_id("job"),
                    kind="reindex",
                    document_id=document.id,
                    collection=collection,
                    status=QUEUED,
                    pages_done=document.pages,
                    pages_total=document.pages,
                    chunks_total=total,
                )
                session.add(job)
                document.job_id = job.id
                jobs.append(job.id)
        if old is not None:
            await self._vectors.drop(old)
        for job_id in jobs:
            await self._jobs.start(job_id, "reindex")
        return jobs
