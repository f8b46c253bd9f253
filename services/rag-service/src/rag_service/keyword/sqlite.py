"""Keyword search in SQLite FTS5, one table for each collection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.keyword.analysis import terms
from rag_service.keyword.base import HEADING_WEIGHT, ChunkWords, terms_of_question
from service_kit.jobs import READY


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
        self, session: AsyncSession, collection: str, question: str, limit: int
    ) -> list[tuple[int, float]]:
        words = await terms_of_question(session, collection, question)
        if not words or not await _exists(session, collection):
            return []
        table = _table(collection)
        found = await session.execute(
            text(
                f"SELECT words.rowid, -bm25({table}, {HEADING_WEIGHT}, {HEADING_WEIGHT}, 1.0) AS score "  # noqa: S608
                f"FROM {table} AS words JOIN chunks ON chunks.id = words.rowid "
                "JOIN documents ON documents.id = chunks.document_id "
                f"WHERE {table} MATCH :query AND documents.status = :ready ORDER BY score DESC LIMIT :limit"
            ),
            {"query": " OR ".join(f'"{word}"' for word in words), "ready": READY, "limit": limit},
        )
        return [(row.rowid, float(row.score)) for row in found]


def _row(row: ChunkWords, language: str) -> dict[str, Any]:
    parts = {"title": row.title, "heading": row.heading, "text": row.text}
    return {"id": row.chunk_id, **{name: " ".join(terms(part, language)) for name, part in parts.items()}}


async def _exists(session: AsyncSession, collection: str) -> bool:
    statement = text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name")
    return await session.scalar(statement, {"name": _table(collection).strip('"')}) is not None


def _table(collection: str) -> str:
    """Name a collection's table; with the colon, which no name of a collection has, no shadow table can have the same."""
    return f'"{collection}:words"'
