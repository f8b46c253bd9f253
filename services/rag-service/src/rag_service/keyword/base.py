"""What a keyword index does, whichever database holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import String, TextClause, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.keyword.analysis import query_terms
from rag_service.tables import Document

HEADING_WEIGHT = 0.5
"""What a word in title or heading counts, against one in the text."""


class ChunkWords(NamedTuple):
    """A chunk as it is indexed."""

    chunk_id: int
    title: str
    heading: str
    text: str


class KeywordIndex(Protocol):
    """Full-text search kept beside the chunks, ranked by BM25 with the statistics of one collection.

    Scores are higher for better, and comparable within one answer.
    """

    async def add(self, session: AsyncSession, collection: str, language: str, rows: Sequence[ChunkWords]) -> None:
        """Index chunks of one document in `language`, an ISO 639-1 code; chunks must not be there yet."""
        ...

    async def remove(self, session: AsyncSession, collection: str, document_id: str) -> None:
        """Remove a document's chunks; must come before their rows are deleted."""
        ...

    async def drop(self, session: AsyncSession, collection: str) -> None:
        """Remove what belongs to a collection without documents."""
        ...

    async def search(
        self,
        session: AsyncSession,
        collection: str,
        question: str,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[tuple[int, float]]:
        """Return (chunk id, score), best first, of documents that are ready, or of those of `documents` that are."""
        ...


def among(documents: Collection[str] | None) -> tuple[str, dict[str, Any]]:
    """Return the SQL condition that keeps to `documents`, and its parameter, to be expanded."""
    return ("", {}) if documents is None else (" AND documents.id IN :documents", {"documents": list(documents)})


def expanding(statement: str, documents: Collection[str] | None) -> TextClause:
    """Return a statement in which the parameter of `among` is a list."""
    clause = text(statement)
    return clause if documents is None else clause.bindparams(bindparam("documents", type_=String, expanding=True))


async def terms_of_question(session: AsyncSession, collection: str, question: str) -> list[str]:
    """Return the terms to look for, stemmed in every language that the collection has."""
    statement = select(Document.language).where(Document.collection == collection).distinct()
    languages = [language for language in await session.scalars(statement) if language is not None]
    return query_terms(question, languages)
