"""Vectors into an index, such that no vector outlives its document, whoever deletes, cancels or kills what when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_providers.deadline import Deadline
from llm_providers.types import EmbedKind, Vectors
from rag_service.spaces import Space, Spaces, waiting
from rag_service.tables import DELETING, Chunk, Document
from rag_service.vectors import VectorIndex
from service_kit.database import Database

BATCH = 64
_EMBED_SECONDS = 120
Record = Callable[[AsyncSession], Awaitable[None]]


class Writer:
    """Embeds chunks and stores their vectors; what `record` writes in SQL comes after they are there."""

    def __init__(self, database: Database, vectors: VectorIndex, spaces: Spaces) -> None:
        self._database = database
        self._vectors = vectors
        self._spaces = spaces

    async def write(self, space: Space, chunks: Sequence[tuple[Chunk, str]], record: Record) -> None:
        """Put chunks (each with its document's title) into an index; may be done again.

        Raises `UpstreamUnavailable` where the backend has another model than the index, and what the backend raises.
        """
        texts = [embedding_text(title, chunk.heading, chunk.text) for chunk, title in chunks]
        with waiting():
            vectors = await self._spaces.embed(space, texts, EmbedKind.DOCUMENT, Deadline.after(_EMBED_SECONDS))
        await _whole(self._store(space, [chunk for chunk, _ in chunks], vectors, record))

    async def _store(self, space: Space, chunks: Sequence[Chunk], vectors: Vectors, record: Record) -> None:
        await self._vectors.upsert(space.name, [(chunk.document_id, chunk.ordinal) for chunk in chunks], vectors)
        documents = {chunk.document_id for chunk in chunks}
        async with self._database.reading() as session:
            there = select(Document.id).where(Document.id.in_(documents), Document.status != DELETING)
            gone = documents - set(await session.scalars(there))
        # Whoever deletes a document marks it first: it is either seen here, or its vectors are seen there.
        for document in gone:
            await self._vectors.delete_document(space.name, document)
        async with self._database.writing() as session:
            await record(session)


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even when cancelled: a thread that writes vectors can't be stopped, and is to be cleaned up after."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def embedding_text(title: str, heading: str, text: str) -> str:
    """Put a chunk's place in front of it: a paragraph alone often does not name what it is about."""
    return "\n".join(part for part in (title, heading, text) if part)
