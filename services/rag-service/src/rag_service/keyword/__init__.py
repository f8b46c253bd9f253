"""Keyword search over the chunk rows: SQLite FTS5 or PostgreSQL full text, in the rows' own transaction."""

from __future__ import annotations

from rag_service.keyword.base import ChunkWords, KeywordIndex
from rag_service.keyword.postgres import PostgresIndex
from rag_service.keyword.sqlite import Fts5Index


def for_dialect(dialect: str) -> KeywordIndex:
    return Fts5Index() if dialect == "sqlite" else PostgresIndex()


__all__ = ["ChunkWords", "KeywordIndex", "for_dialect"]
