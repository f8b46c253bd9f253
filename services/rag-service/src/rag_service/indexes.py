"""The rows about a collection's indexes: which one answers, how far the others are filled, and how they change places."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import ACTIVE, DELETING, DROPPED, FILLING, RETIRED, Chunk, Document, VectorSpace
from service_kit.errors import Conflict
from service_kit.jobs import CANCELLED, FAILED, now


def counted(collection: str) -> ColumnElement[bool]:
    """Say in SQL which documents' chunks belong into the indexes of `collection`."""
    return (Document.collection == collection) & Document.status.not_in([DELETING, FAILED, CANCELLED])


async def with_status(session: AsyncSession, collection: str, *statuses: str) -> list[VectorSpace]:
    """Return the collection's indexes that have one of `statuses` (all, without), the newest activated first."""
    statement = select(VectorSpace).where(VectorSpace.collection == collection)
    if statuses:
        statement = statement.where(VectorSpace.status.in_(statuses))
    newest = (VectorSpace.activated.is_(None), VectorSpace.activated.desc(), VectorSpace.created.desc())
    return list(await session.scalars(statement.order_by(*newest)))


async def active(session: AsyncSession, collection: str) -> VectorSpace | None:
    """Return the index that answers."""
    return next(iter(await with_status(session, collection, ACTIVE)), None)


async def activate(session: AsyncSession, index: VectorSpace) -> None:
    """Let `index` answer from the end of this transaction on; the one before is kept, and none but that.

    All that write wait for one another, so that what `filled_to` says is true when it happens.
    """
    for other in await with_status(session, index.collection, ACTIVE, RETIRED):
        if other.status == ACTIVE:
            other.status, other.filled_to = RETIRED, await complete_to(session, index.collection)
        elif other.id != index.id:
            other.status = DROPPED
    index.status, index.activated = ACTIVE, now()
    there = Chunk.id <= index.filled_to
    mine = Chunk.document_id.in_(select(Document.id).where(Document.collection == index.collection))
    await session.execute(update(Chunk).where(mine, Chunk.embedded != there).values(embedded=there))


async def complete_to(session: AsyncSession, collection: str) -> int:
    """Return the id up to which every chunk is in the active index."""
    ids = select(Chunk.id).join(Document).where(counted(collection))
    missing = await session.scalar(ids.where(Chunk.embedded.is_(False)).order_by(Chunk.id).limit(1))
    if missing is not None:
        return missing - 1
    return await session.scalar(ids.order_by(Chunk.id.desc()).limit(1)) or 0


def give_up(index: VectorSpace) -> None:
    """Leave a filling that failed or was cancelled: what had answered once can still be gone back to."""
    if index.status == FILLING:
        index.status = DROPPED if index.activated is None else RETIRED


async def refuse_if_filling(session: AsyncSession, collection: str) -> None:
    """Raise `Conflict` while another index is being made."""
    for index in await with_status(session, collection, FILLING):
        raise Conflict(
            f"an index of {collection!r} is being filled already; wait for job {index.job_id}, or cancel it",
            field="collection",
            job_id=index.job_id,
        )


def missing(index: VectorSpace) -> ColumnElement[bool]:
    """Say in SQL which chunks are not in `index` yet."""
    return Chunk.embedded.is_(False) if index.status == ACTIVE else Chunk.id > index.filled_to


async def next_chunks(session: AsyncSession, index: VectorSpace, limit: int) -> Sequence[tuple[Chunk, str]]:
    """Return the first chunks that are not in `index` yet, by id, each with its document's title."""
    statement = select(Chunk, Document.title).join(Document).where(counted(index.collection), missing(index))
    return [(row[0], row[1]) for row in await session.execute(statement.order_by(Chunk.id).limit(limit))]


def progress(index: VectorSpace) -> tuple[ScalarSelect[int], ScalarSelect[int]]:
    """Say in SQL how many of the collection's chunks are in `index`, and how many there are."""
    chunks = select(func.count()).select_from(Chunk).join(Document).where(counted(index.collection))
    return chunks.where(~missing(index)).scalar_subquery(), chunks.scalar_subquery()
