"""Keyword search in SQLite FTS5, one table for each collection."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.keyword.analysis import terms
from rag_service.keyword.base import HEADING_WEIGHT, ChunkWords, among, expanding, terms_of_question

_MORE = 4
"""Times as many matches are taken as are asked for, in case some are of documents that are not to be found."""


class Fts5Index:
    """Ranked by FTS5's own BM25, https://www.sqlite.org/fts5.html#the_bm25_function.

    Its statistics are those of a table, so that each collection has its own. A table holds terms, not words: stemming and
    the segmentation of scripts without spaces are ours, so that PostgreSQL does the same.
    """

    async def add(self, session: AsyncSession, collection: str, language: str, rows: Sequence[ChunkWords]) -> None:
        table = _table(collection)
        await session.execute(text(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(title, heading, text)"))
        # In a thread: a long document takes seconds.
        values = await asyncio.to_thread(lambda: [_row(row, language) for row in rows])
        insert = f"INSERT INTO {table} (rowid, title, heading, text) VALUES (:id, :title, :heading, :text)"  # noqa: S608
        if values:
            await session.execute(text(insert), values)

    async def remove(self, session: AsyncSession, collection: str, document_id: str) -> None:
        rows = "SELECT id FROM chunks WHERE document_id = :document"
        statement = f"DELETE FROM {_table(collection)} WHERE rowid IN ({rows})"  # noqa: S608
        if await _exists(session, collection):
            await session.execute(text(statement), {"document": document_id})

    async def drop(self, session: AsyncSession, collection: str) -> None:
        await session.execute(text(f"DROP TABLE IF EXISTS {_table(collection)}"))

    async def search(
        self,
        session: AsyncSession,
        collection: str,
        question: str,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[tuple[int, float]]:
        words = await terms_of_question(session, collection, question)
        if not words or not await _exists(session, collection):
            return []
        query = " OR ".join(f'"{word}"' for word in words)
        # Chunks of unfinished documents are sorted out afterwards: looking up the document of every match takes as long as
        # the search itself. Only where too few are left is each one looked up.
        if documents is None:
            first = await self._ranked(session, collection, query, limit, several=_MORE)
            if len(first) >= limit:
                return first[:limit]
        return await self._ranked(session, collection, query, limit, documents)

    async def _ranked(
        self,
        session: AsyncSession,
        collection: str,
        query: str,
        limit: int,
        documents: Collection[str] | None = None,
        several: int | None = None,
    ) -> list[tuple[int, float]]:
        table = _table(collection)
        score = f"-bm25({table}, {HEADING_WEIGHT}, {HEADING_WEIGHT}, 1.0)"
        matches = f"SELECT rowid AS id, {score} AS score FROM {table} WHERE {table} MATCH :query"  # noqa: S608
        if several is not None:
            matches += f" ORDER BY score DESC LIMIT {several * limit}"
        condition, kept = among(documents)
        found = await session.execute(
            expanding(
                f"SELECT found.id, found.score FROM ({matches}) AS found JOIN chunks ON chunks.id = found.id "  # noqa: S608
                "JOIN documents ON documents.id = chunks.document_id "
                f"WHERE documents.searchable{condition} ORDER BY found.score DESC LIMIT :limit",
                documents,
            ),
            {"query": query, "limit": limit, **kept},
        )
        return [(row.id, float(row.score)) for row in found]


def _row(row: ChunkWords, language: str) -> dict[str, Any]:
    parts = {"title": row.title, "heading": row.heading, "text": row.text}
    return {"id": row.chunk_id, **{name: " ".join(terms(part, language)) for name, part in parts.items()}}


async def _exists(session: AsyncSession, collection: str) -> bool:
    statement = text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name")
    return await session.scalar(statement, {"name": _table(collection).strip('"')}) is not None


def _table(collection: str) -> str:
    """Name a collection's table; with the colon, which no name of a collection has, no shadow table can have the same."""
    return f'"{collection}:words"'
