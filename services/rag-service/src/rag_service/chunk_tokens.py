"""The token vectors of chunks in SQL: stored with the vectors of an index, read for the few chunks to be re-ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.tables import Chunk, ChunkTokens, Index


async def store(session: AsyncSession, index_id: str, packed: Mapping[int, bytes]) -> None:
    """Store token vectors by chunk id, in place of older ones; those of chunks or an index deleted meanwhile are dropped."""
    if await session.get(Index, index_id) is None:
        return
    kept = list(await session.scalars(select(Chunk.id).where(Chunk.id.in_(packed))))
    rows = [{"chunk_id": chunk, "index_id": index_id, "packed": packed[chunk]} for chunk in kept if packed[chunk]]
    await session.execute(delete(ChunkTokens).where(ChunkTokens.index_id == index_id, ChunkTokens.chunk_id.in_(kept)))
    if rows:
        await session.execute(insert(ChunkTokens), rows)


async def load(session: AsyncSession, index_id: str, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the token vectors that are stored, by chunk id."""
    statement = select(ChunkTokens.chunk_id, ChunkTokens.packed)
    found = await session.execute(
        statement.where(ChunkTokens.index_id == index_id, ChunkTokens.chunk_id.in_(chunk_ids))
    )
    return {row.chunk_id: row.packed for row in found}
