"""Hybrid retrieval: keyword and vector search, fused by normalised score, re-ranked where a reranker is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import structlog
from sqlalchemy import and_, or_, select

from llm_providers.base import EmbeddingProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Unavailable
from llm_providers.types import EmbedKind, Vectors
from rag_service.ingestion import embedding_text
from rag_service.keyword import KeywordIndex
from rag_service.spaces import SpaceGuard
from rag_service.tables import Chunk, Document
from rag_service.vectors import VectorIndex
from service_kit.database import Database
from service_kit.errors import UpstreamUnavailable
from service_kit.jobs import READY

log = structlog.get_logger(__name__)
_VECTOR_SHARE = 0.5
"""Weight of the vectors against the keywords, both scaled to 0…1 over the candidates of one question."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found; `score` is between 0 and 1 and means something within one answer only."""

    chunk_id: int
    document_id: str
    ordinal: int
    title: str
    filename: str
    page: int
    start: int
    end: int
    heading: str
    text: str
    score: float
    cosine: float | None = None
    keyword: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Passages best first; `degraded` says which part of the search was missing; `seconds` per stage."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Near:
    """The question's vector, the index it was sought in, and what was found near it."""

    index: str
    vector: Vectors
    cosines: Mapping[tuple[str, int], float]


class Retriever:
    """Searches one collection of ready documents."""

    def __init__(
        self,
        database: Database,
        keyword: KeywordIndex,
        vectors: VectorIndex,
        embeddings: EmbeddingProvider,
        rerank: RerankProvider | None,
        spaces: SpaceGuard,
        *,
        candidates: int,
        rerank_top: int,
    ) -> None:
        self._database = database
        self._keyword = keyword
        self._vectors = vectors
        self._embeddings = embeddings
        self._rerank = rerank if rerank_top else None
        self._spaces = spaces
        self._candidates = candidates
        self._rerank_top = rerank_top

    async def search(self, collection: str, question: str, limit: int, deadline: Deadline) -> Found:
        """Find passages; without embeddings the keywords alone decide, and `degraded` says so.

        Raises `SpaceMismatch` if the collection was made with another embedding model.
        """
        started = perf_counter()
        (near, vector_seconds), (by_keyword, keyword_seconds) = await asyncio.gather(
            self._by_vector(collection, question, deadline), self._by_keyword(collection, question)
        )
        passages = await self._load(near.cosines if near else {}, by_keyword)
        if near is not None:
            passages = await self._with_cosines(near, passages)
        degraded: tuple[str, ...] = () if near is not None else ("embeddings",)
        ranked = sorted(_fused(passages), key=lambda passage: (-passage.score, passage.chunk_id))
        seconds = {"vectors": vector_seconds, "keywords": keyword_seconds, "search": perf_counter() - started}
        if self._rerank is not None and len(ranked) > 1:
            begun = perf_counter()
            try:
                ranked = await self._reranked(self._rerank, question, ranked, deadline)
            except Unavailable as error:
                log.warning("search without reranking", error=type(error).__name__)
                degraded = (*degraded, "rerank")
            seconds["rerank"] = perf_counter() - begun
        return Found(ranked[:limit], degraded, {name: round(value, 4) for name, value in seconds.items()})

    async def _by_vector(self, collection: str, question: str, deadline: Deadline) -> tuple[_Near | None, float]:
        started = perf_counter()
        try:
            index = await self._spaces.index(collection)
            (vector,) = await self._embeddings.embed([question], EmbedKind.QUERY, deadline)
            found = await self._vectors.search(index, vector, self._candidates)
        except (Unavailable, UpstreamUnavailable) as error:
            log.warning("search by keywords alone", error=type(error).__name__)
            return None, perf_counter() - started
        cosines = {(document, ordinal): cosine for document, ordinal, cosine in found}
        return _Near(index, vector, cosines), perf_counter() - started

    async def _with_cosines(self, near: _Near, passages: list[Passage]) -> list[Passage]:
        """Score by vector what only the keywords found: left at zero, fusion would lose to either search alone."""
        missing = {(p.document_id, p.ordinal): p for p in passages if p.cosine is None}
        try:
            cosines = await self._vectors.cosines(near.index, near.vector, list(missing))
        except UpstreamUnavailable:
            return passages
        return [
            p if p.cosine is not None else replace(p, cosine=cosines.get((p.document_id, p.ordinal))) for p in passages
        ]

    async def _by_keyword(self, collection: str, question: str) -> tuple[Mapping[int, float], float]:
        started = perf_counter()
        async with self._database.reading() as session:
            found = await self._keyword.search(session, collection, question, self._candidates)
        return dict(found), perf_counter() - started

    async def _load(self, by_vector: Mapping[tuple[str, int], float], by_keyword: Mapping[int, float]) -> list[Passage]:
        keys = [and_(Chunk.document_id == document, Chunk.ordinal == ordinal) for document, ordinal in by_vector]
        statement = (
            select(Chunk, Document.title, Document.filename)
            .join(Document, Document.id == Chunk.document_id)
            .where(Document.status == READY, or_(Chunk.id.in_(by_keyword), *keys))
        )
        async with self._database.reading() as session:
            rows = (await session.execute(statement)).all()
        return [
            Passage(
                chunk_id=chunk.id,
                document_id=chunk.document_id,
                ordinal=chunk.ordinal,
                title=title,
                filename=filename,
                page=chunk.page,
                start=chunk.start,
                end=chunk.end,
                heading=chunk.heading,
                text=chunk.text,
                score=0.0,
                cosine=by_vector.get((chunk.document_id, chunk.ordinal)),
                keyword=by_keyword.get(chunk.id),
            )
            for chunk, title, filename in rows
        ]

    async def _reranked(
        self, rerank: RerankProvider, question: str, ranked: Sequence[Passage], deadline: Deadline
    ) -> list[Passage]:
        head, tail = ranked[: self._rerank_top], ranked[self._rerank_top :]
        texts = [embedding_text(passage.title, passage.heading, passage.text) for passage in head]
        results = await rerank.rerank(question, texts, len(texts), deadline)
        scale = _scaled({result.index: result.score for result in results})
        mixed = [replace(passage, score=(passage.score + scale.get(row, 0.0)) / 2) for row, passage in enumerate(head)]
        return [*sorted(mixed, key=lambda passage: -passage.score), *tail]


def _fused(passages: Sequence[Passage]) -> list[Passage]:
    """Blend min-max scaled scores, which keep how much better one chunk is than the next (docs/adr/0005-retrieval.md)."""
    vector = _scaled({p.chunk_id: p.cosine for p in passages if p.cosine is not None})
    keyword = _scaled({p.chunk_id: p.keyword for p in passages if p.keyword is not None})
    share = _VECTOR_SHARE if vector else 0.0
    return [
        replace(p, score=share * vector.get(p.chunk_id, 0.0) + (1 - share) * keyword.get(p.chunk_id, 0.0))
        for p in passages
    ]


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
