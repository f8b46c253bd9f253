"""The use cases of graphs: build, look at, delete; the rights are those of its collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from graph_service.rag import RagService
from graph_service.tables import Chunk, Document, Entity, Graph, Job, Name, Relation
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.errors import NotFound
from service_kit.ids import new_id
from service_kit.jobs import OPEN, QUEUED, Jobs


def visible(principal: Principal) -> ColumnElement[bool]:
    """Say in SQL which jobs a caller may see: those of the collections that the key is bound to."""
    return true() if principal.collections is None else Job.collection.in_(principal.collections)


async def follow_job(session: AsyncSession, job: Job) -> None:
    """Give the graph of a job the job's status."""
    of_job = (Graph.collection == job.collection) & (Graph.job_id == job.id)
    await session.execute(update(Graph).where(of_job).values(status=job.status))


@dataclass(slots=True)
class Graphs:
    """The use cases of graphs, of which each collection has one at most."""

    database: Database
    jobs: Jobs[Job]
    rag: RagService

    async def build(self, collection: str, again: bool, principal: Principal) -> Job:
        """Begin a build, or return the one that is under way, which takes what has changed meanwhile with it.

        Raises `NotFound` for a collection that has neither documents nor a graph, and `UpstreamUnavailable`.
        """
        principal.require(collection)
        async with self.database.reading() as session:
            known = await session.get(Graph, collection) is not None
        if not known and not [document async for document in self.rag.documents(collection, limit=1)]:
            raise NotFound(f"there is no document in {collection!r} that can be read", field="collection")
        return await self.jobs.get(await self.begin(collection, again), principal)

    async def begin(self, collection: str, again: bool) -> str:
        """Begin a build unless one is under way; returns the job's id."""
        job = Job(id=new_id("job"), kind="graph", collection=collection, again=again, status=QUEUED)
        async with self.database.writing() as session:
            newest = select(Job).join(Graph, Graph.job_id == Job.id).where(Graph.collection == collection)
            under_way = await session.scalar(newest.where(Job.status.in_(OPEN)))
            if under_way is None:
                await session.merge(Graph(collection=collection, job_id=job.id, status=job.status))
                session.add(job)
            else:
                under_way.again = under_way.again or again
                job = under_way
        await self.jobs.start(job.id, kind="graph")
        return job.id

    async def listing(self, principal: Principal) -> Sequence[dict[str, Any]]:
        """Return the caller's graphs, with how much is in them."""
        mine = true() if principal.collections is None else Graph.collection.in_(principal.collections)
        return await self._counted(mine)

    async def get(self, collection: str, principal: Principal) -> dict[str, Any]:
        """Return a graph and how much is in it; raises `NotFound` where there is none."""
        principal.require(collection)
        found = await self._counted(Graph.collection == collection)
        if not found:
            raise NotFound(f"there is no graph of {collection!r}; POST /v1/graphs builds it", field="collection")
        return found[0]

    async def _counted(self, condition: ColumnElement[bool]) -> list[dict[str, Any]]:
        documents = select(func.count()).where(Document.collection == Graph.collection)
        entities = select(func.count()).where(Entity.collection == Graph.collection)
        relations = (
            select(func.count())
            .select_from(Relation)
            .join(Name, Relation.subject_id == Name.id)
            .where(Name.collection == Graph.collection)
        )
        # Joined: a subquery of a subquery would count the documents of every graph.
        mine = Document.collection == Graph.collection
        chunks = select(func.count()).select_from(Chunk).join(Document).where(mine)
        dropped = select(func.coalesce(func.sum(Chunk.dropped), 0)).join(Document).where(mine)
        statement = select(
            Graph,
            documents.scalar_subquery().label("documents"),
            entities.scalar_subquery().label("entities"),
            relations.scalar_subquery().label("relations"),
            chunks.scalar_subquery().label("chunks"),
            chunks.where(Chunk.failed).scalar_subquery().label("incomplete"),
            dropped.scalar_subquery().label("dropped"),
        )
        async with self.database.reading() as session:
            rows = (await session.execute(statement.where(condition).order_by(Graph.collection))).all()
        return [{**row._mapping, **_columns(row[0])} for row in rows]

    async def delete(self, collection: str, principal: Principal) -> None:
        """Remove a graph with all that is in it; a build under way is stopped. The documents stay."""
        graph = await self.get(collection, principal)
        await self.jobs.stop(graph["job_id"])
        async with self.database.writing() as session:
            await session.execute(delete(Graph).where(Graph.collection == collection))


def _columns(graph: Graph) -> dict[str, Any]:
    return {column.key: getattr(graph, column.key) for column in Graph.__table__.columns}
