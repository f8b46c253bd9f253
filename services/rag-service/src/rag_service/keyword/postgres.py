"""Keyword search in PostgreSQL full text."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import chain
from math import log
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from rag_service.keyword.analysis import terms
from rag_service.keyword.base import HEADING_WEIGHT, ChunkWords, among, expanding, terms_of_question

_MOST_POSITIONS = 255
_LONGEST_TERM = 200
_RANK_OF_ONE = 0.6079
"""What `ts_rank` gives for a word that occurs once: 6/π². It grows towards 1 as the sum of 1/n² does."""


class PostgresIndex:
    """Ranked by BM25, https://www.nowpublishers.com/article/Details/INR-019, which PostgreSQL itself does not have.

    Its part that grows with the number of occurrences is `ts_rank` of the word alone, scaled to BM25's k1 = 1.2; the number
    of chunks that hold a word, and their mean length, are counted per collection by the query.
    """

    async def add(self, session: AsyncSession, collection: str, language: str, rows: Sequence[ChunkWords]) -> None:
        statement = text(
            "INSERT INTO chunk_words (chunk_id, collection, words, length) "
            "VALUES (:id, :collection, CAST(:words AS tsvector), :length)"
        )
        # In a thread: a long document takes seconds.
        values = await asyncio.to_thread(lambda: [_row(collection, row, language) for row in rows])
        if values:
            await session.execute(statement, values)

    async def remove(self, session: AsyncSession, collection: str, document_id: str) -> None:
        statement = "DELETE FROM chunk_words WHERE chunk_id IN (SELECT id FROM chunks WHERE document_id = :document)"
        await session.execute(text(statement), {"document": document_id})

    async def drop(self, session: AsyncSession, collection: str) -> None:
        await session.execute(text("DELETE FROM chunk_words WHERE collection = :name"), {"name": collection})

    async def search(
        self,
        session: AsyncSession,
        collection: str,
        question: str,
        limit: int,
        documents: Collection[str] | None = None,
    ) -> list[tuple[int, float]]:
        words = await terms_of_question(session, collection, question)
        if not words:
            return []
        queries = {f"t{number}": f"'{word[:_LONGEST_TERM]}'" for number, word in enumerate(words)}
        rarity = await self._rarity(session, collection, queries)
        if not rarity:
            return []
        weights = f"'{{0, 0, {HEADING_WEIGHT}, 1}}'"
        score = " + ".join(
            f"CASE WHEN words @@ CAST(:{name} AS tsquery) "
            f"THEN {idf:.6f} * (1.5 * ts_rank({weights}, words, CAST(:{name} AS tsquery)) / {_RANK_OF_ONE} - 0.5) ELSE 0 END"
            for name, idf in rarity.items()
        )
        condition, kept = among(documents)
        found = await session.execute(
            expanding(
                f"SELECT chunk_words.chunk_id, ({score}) * 2.2 / (1.3 + 0.9 * chunk_words.length / mean.length) AS score "  # noqa: S608
                "FROM chunk_words JOIN chunks ON chunks.id = chunk_words.chunk_id "
                "JOIN documents ON documents.id = chunks.document_id, "
                "(SELECT greatest(avg(length), 1) AS length FROM chunk_words WHERE collection = :collection) AS mean "
                "WHERE chunk_words.collection = :collection AND chunk_words.words @@ CAST(:query AS tsquery) "
                f"AND documents.searchable{condition} ORDER BY score DESC LIMIT :limit",
                documents,
            ),
            {
                **{name: queries[name] for name in rarity},
                "query": " | ".join(queries[name] for name in rarity),
                "collection": collection,
                "limit": limit,
                **kept,
            },
        )
        return [(row.chunk_id, float(row.score)) for row in found]

    async def _rarity(self, session: AsyncSession, collection: str, queries: dict[str, str]) -> dict[str, float]:
        """Return the inverse document frequency of each query that something matches."""
        here = "SELECT count(*) FROM chunk_words WHERE collection = :collection"
        counts = ", ".join(f"({here} AND words @@ CAST(:{name} AS tsquery)) AS {name}" for name in queries)
        statement = text(f"SELECT ({here}) AS total, {counts}")
        row = (await session.execute(statement, {**queries, "collection": collection})).one()._mapping
        total = row["total"]
        return {name: log(1 + (total - row[name] + 0.5) / (row[name] + 0.5)) for name in queries if row[name]}


def _row(collection: str, row: ChunkWords, language: str) -> dict[str, Any]:
    place, body = terms(f"{row.title} {row.heading}", language), terms(row.text, language)
    length = len(body) + round(HEADING_WEIGHT * len(place))
    return {"id": row.chunk_id, "collection": collection, "words": _vector(place, body), "length": length}


def _vector(place: Sequence[str], body: Sequence[str]) -> str:
    """Write a tsvector: terms of title and heading with weight B, those of the text with A."""
    positions: dict[str, list[str]] = defaultdict(list)
    labelled = chain(((term, "B") for term in place), ((term, "A") for term in body))
    for number, (term, weight) in enumerate(labelled, 1):
        positions[term[:_LONGEST_TERM]].append(f"{min(number, 16383)}{weight}")
    return " ".join(f"'{term}':{','.join(found[:_MOST_POSITIONS])}" for term, found in positions.items())
