"""The rows of a collection's indexes: which one answers, how complete the others are, and how they change places."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import ACTIVE, BUILDING, DROPPED, RETIRED, Chunk, Document, Index
from rag_service.versions import OFF
from service_kit.errors import Conflict
from service_kit.jobs import now


def indexable(collection: str) -> ColumnElement[bool]:
    """Return the SQL condition for documents whose chunks belong into the indexes of `collection`."""
    return (Document.collection == collection) & Document.status.not_in(OFF)


async def with_status(session: AsyncSession, collection: str, *statuses: str) -> list[Index]:
    """Return the collection's indexes that have one of `statuses` (all, without), the newest activated first."""
    statement = select(Index).where(Index.collection == collection)
    if statuses:
        statement = statement.where(Index.status.in_(statuses))
    newest = (Index.activated.is_(None), Index.activated.desc(), Index.created.desc())
    return list(await session.scalars(statement.order_by(*newest)))


async def active(session: AsyncSession, collection: str) -> Index | None:
    """Return the index that answers."""
    return next(iter(await with_status(session, collection, ACTIVE)), None)


async def index_of_job(session: AsyncSession, job_id: str) -> Index:
    """Return the index that a job builds; raises `Conflict` if another index has replaced it."""
    index = await session.scalar(select(Index).where(Index.job_id == job_id))
    if index is None or index.status not in (BUILDING, ACTIVE):
        raise Conflict("another index has replaced this one")
    return index


async def activate(session: AsyncSession, index: Index) -> None:
    """Let `index` answer from the end of this transaction on; the one before is kept, and no older one.

    Writing transactions wait for one another, so `filled_to` is right at the moment of the swap.
    """
    for other in await with_status(session, index.collection, ACTIVE, RETIRED):
        if other.status == ACTIVE:
            other.status, other.filled_to = RETIRED, await _complete_to(session, index.collection)
        elif other.id != index.id:
            other.status = DROPPED
    index.status, index.activated = ACTIVE, now()
    contained = Chunk.id <= index.filled_to
    in_collection = Chunk.document_id.in_(select(Document.id).where(Document.collection == index.collection))
    changed = update(Chunk).where(in_collection, Chunk.embedded != contained)
    await session.execute(changed.values(embedded=contained))


def abandon(index: Index) -> None:
    """Leave a build that failed or was cancelled: an index that had answered once is kept for a rollback."""
    if index.status == BUILDING:
        index.status = DROPPED if index.activated is None else RETIRED


async def refuse_if_building(session: AsyncSession, collection: str) -> None:
    """Raise `Conflict` while another index is being built."""
    for index in await with_status(session, collection, BUILDING):
        raise Conflict(
            f"an index of {collection!r} is being built already; wait for job {index.job_id}, or cancel it",
            field="collection",
            job_id=index.job_id,
        )


async def next_chunks(session: AsyncSession, index: Index, limit: int) -> Sequence[tuple[Chunk, str]]:
    """Return the first chunks that are not in `index` yet, by id, each with its document's title."""
    statement = select(Chunk, Document.title).join(Document).where(indexable(index.collection), _missing(index))
    return [(row[0], row[1]) for row in await session.execute(statement.order_by(Chunk.id).limit(limit))]


def progress(index: Index) -> tuple[ScalarSelect[int], ScalarSelect[int]]:
    """Return the SQL for how many of the collection's chunks are in `index`, and for how many there are."""
    chunks = select(func.count()).select_from(Chunk).join(Document).where(indexable(index.collection))
    return chunks.where(~_missing(index)).scalar_subquery(), chunks.scalar_subquery()


def _missing(index: Index) -> ColumnElement[bool]:
    return Chunk.embedded.is_(False) if index.status == ACTIVE else Chunk.id > index.filled_to


async def _complete_to(session: AsyncSession, collection: str) -> int:
    """Return the id up to which every chunk is in the active index."""
    ids = select(Chunk.id).join(Document).where(indexable(collection))
    missing = await session.scalar(ids.where(Chunk.embedded.is_(False)).order_by(Chunk.id).limit(1))
    if missing is not None:
        return missing - 1
    return await session.scalar(ids.order_by(Chunk.id.desc()).limit(1)) or 0
