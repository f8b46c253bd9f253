"""Keyword search over the chunk rows: SQLite FTS5 or PostgreSQL full text, in the rows' own transaction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from service_kit.jobs import READY

_WORD = re.compile(r"\w+", re.UNICODE)
_MOST_WORDS = 64
_STOP_WORDS = frozenset(
    """a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its
    me my no not of on or our she so some than that the their them then there these they this to was we were what when
    where which while who whom whose why will with would you your de het een van en die dat der das den dem des ein eine
    und ist im zu mit auf für von wie wat wie waar wanneer welke wer wo wann was welche""".split()
)


class KeywordIndex(Protocol):
    """Full-text search kept beside the chunks; scores are higher for better, and comparable within one answer."""

    async def add(self, session: AsyncSession, rows: Sequence[tuple[int, str, str, str]]) -> None:
        """Index (chunk id, title, heading, text)."""
        ...

    async def remove(self, session: AsyncSession, document_id: str) -> None: ...

    async def search(
        self, session: AsyncSession, collection: str, question: str, limit: int
    ) -> list[tuple[int, float]]:
        """Return (chunk id, score), best first, of documents that are ready."""
        ...


def for_dialect(dialect: str) -> KeywordIndex:
    return Fts5Index() if dialect == "sqlite" else PostgresIndex()


def terms(question: str) -> list[str]:
    """Return the words worth looking for, each once; all of them if nothing else is left."""
    found = list(dict.fromkeys(_WORD.findall(question.lower())))
    return ([word for word in found if word not in _STOP_WORDS] or found)[:_MOST_WORDS]


class Fts5Index:
    """SQLite FTS5, ranked by BM25 (https://www.sqlite.org/fts5.html#the_bm25_function); title and heading count half."""

    async def add(self, session: AsyncSession, rows: Sequence[tuple[int, str, str, str]]) -> None:
        statement = text("INSERT INTO chunk_text (rowid, title, heading, text) VALUES (:id, :title, :heading, :text)")
        if rows:
            names = ("id", "title", "heading", "text")
            await session.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])

    async def remove(self, session: AsyncSession, document_id: str) -> None:
        statement = "DELETE FROM chunk_text WHERE rowid IN (SELECT id FROM chunks WHERE document_id = :document)"
        await session.execute(text(statement), {"document": document_id})

    async def search(
        self, session: AsyncSession, collection: str, question: str, limit: int
    ) -> list[tuple[int, float]]:
        words = terms(question)
        if not words:
            return []
        found = await session.execute(
            text(
                "SELECT chunk_text.rowid, -bm25(chunk_text, 0.5, 0.5, 1.0) AS score FROM chunk_text "
                "JOIN chunks ON chunks.id = chunk_text.rowid JOIN documents ON documents.id = chunks.document_id "
                "WHERE chunk_text MATCH :query AND documents.collection = :collection AND documents.status = :ready "
                "ORDER BY score DESC LIMIT :limit"
            ),
            {
                "query": " OR ".join(f'"{word}"' for word in words),
                "collection": collection,
                "ready": READY,
                "limit": limit,
            },
        )
        return [(row.rowid, float(row.score)) for row in found]


class PostgresIndex:
    """PostgreSQL full text, ranked by cover density (https://www.postgresql.org/docs/current/textsearch-controls.html)."""

    async def add(self, session: AsyncSession, rows: Sequence[tuple[int, str, str, str]]) -> None:
        statement = text(
            "INSERT INTO chunk_text (chunk_id, words) VALUES (:id, "
            "setweight(to_tsvector('english', :title || ' ' || :heading), 'B') || to_tsvector('english', :text))"
        )
        if rows:
            names = ("id", "title", "heading", "text")
            await session.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])

    async def remove(self, session: AsyncSession, document_id: str) -> None:
        statement = "DELETE FROM chunk_text WHERE chunk_id IN (SELECT id FROM chunks WHERE document_id = :document)"
        await session.execute(text(statement), {"document": document_id})

    async def search(
        self, session: AsyncSession, collection: str, question: str, limit: int
    ) -> list[tuple[int, float]]:
        words = terms(question)
        if not words:
            return []
        found = await session.execute(
            text(
                "SELECT chunk_text.chunk_id, ts_rank_cd(chunk_text.words, query, 1) AS score "
                "FROM to_tsquery('english', :query) AS query, chunk_text "
                "JOIN chunks ON chunks.id = chunk_text.chunk_id JOIN documents ON documents.id = chunks.document_id "
                "WHERE chunk_text.words @@ query AND documents.collection = :collection AND documents.status = :ready "
                "ORDER BY score DESC LIMIT :limit"
            ),
            {"query": " | ".join(words), "collection": collection, "ready": READY, "limit": limit},
        )
        return [(row.chunk_id, float(row.score)) for row in found]
