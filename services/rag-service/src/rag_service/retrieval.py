"""Hybrid retrieval: keyword and vector search, fused by normalised score, re-ranked where a reranker is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic, perf_counter

import structlog
from sqlalchemy import and_, or_, select

from llm_providers.base import RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded, Unavailable
from llm_providers.types import EmbedKind, Vectors
from rag_service.keyword import KeywordIndex
from rag_service.metrics import SearchMetrics
from rag_service.spaces import WRONG_MODEL, Space, Spaces
from rag_service.tables import Chunk, Document
from rag_service.vectors import VectorIndex
from rag_service.writing import embedding_text
from service_kit.database import Database
from service_kit.errors import UpstreamUnavailable
from service_kit.jobs import READY

log = structlog.get_logger(__name__)
_EMBED_SECONDS = 20
"""What a question may wait for its vector before it is answered by keywords: a model that has to be loaded takes longer."""
_SILENT_SECONDS = 15
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
    """Passages best first; `degraded` says which part of the search was missing, `reasons` why; `seconds` per stage."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    seconds: dict[str, float]
    reasons: tuple[str, ...] = ()


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
        spaces: Spaces,
        rerank: RerankProvider | None,
        metrics: SearchMetrics,
        *,
        candidates: int,
        rerank_top: int,
    ) -> None:
        self._database = database
        self._keyword = keyword
        self._vectors = vectors
        self._rerank = rerank if rerank_top else None
        self._spaces = spaces
        self._candidates = candidates
        self._rerank_top = rerank_top
        self._metrics = metrics
        self._silent_until: dict[str, float] = {}

    async def search(self, collection: str, question: str, limit: int, deadline: Deadline) -> Found:
        """Find passages; where the index's own vectors can't be had the keywords alone decide, and `degraded` says so."""
        started = perf_counter()
        (near, reasons, vector_seconds), (by_keyword, keyword_seconds) = await asyncio.gather(
            self._by_vector(collection, question, deadline), self._by_keyword(collection, question)
        )
        passages = await self._load(near.cosines if near else {}, by_keyword)
        if near is not None:
            passages = await self._with_cosines(near, passages)
            # Every chunk of a ready document has its vector, so this index has lost them all.
            if not near.cosines and passages:
                log.warning("the vector index is empty", collection=collection, index=near.index)
                reasons = ("searched by keywords alone: the vector index is empty; `switchyard reindex` fills it",)
        degraded: tuple[str, ...] = ("embeddings",) if reasons else ()
        ranked = sorted(_fused(passages), key=lambda passage: (-passage.score, passage.chunk_id))
        seconds = {"vectors": vector_seconds, "keywords": keyword_seconds, "search": perf_counter() - started}
        if self._rerank is not None and len(ranked) > 1:
            begun = perf_counter()
            try:
                ranked = await self._reranked(self._rerank, question, ranked, deadline)
            except Unavailable as error:
                log.warning("search without reranking", error=type(error).__name__)
                degraded, reasons = (*degraded, "rerank"), (*reasons, f"searched without reranking: {error}")
            seconds["rerank"] = perf_counter() - begun
        self._metrics.searched(degraded)
        return Found(ranked[:limit], degraded, {name: round(value, 4) for name, value in seconds.items()}, reasons)

    async def _by_vector(
        self, collection: str, question: str, deadline: Deadline
    ) -> tuple[_Near | None, tuple[str, ...], float]:
        """Search the index that answers at this moment, if there is one; with the reason where it can't be searched."""
        started = perf_counter()
        near, reasons = None, tuple[str, ...]()
        try:
            space = await self._spaces.active(collection)
            if space is not None:
                near = await self._nearest(space, question, deadline)
        except (Unavailable, UpstreamUnavailable, DeadlineExceeded, *WRONG_MODEL) as error:
            if isinstance(error, DeadlineExceeded) and deadline.remaining <= 0:
                raise
            log.warning("search by keywords alone", error=type(error).__name__, why=str(error))
            reasons = (f"searched by keywords alone: {error}",)
        return near, reasons, perf_counter() - started

    async def _nearest(self, space: Space, question: str, deadline: Deadline) -> _Near:
        if (left := self._silent_until.get(space.id, 0.0) - monotonic()) > 0:
            raise Unavailable(f"no vector within {_EMBED_SECONDS} s; asked for again in {left:.0f} s")
        soon = Deadline.after(min(_EMBED_SECONDS, deadline.remaining))
        try:
            (vector,) = await self._spaces.embed(space, [question], EmbedKind.QUERY, soon)
        except DeadlineExceeded:
            # No breaker counts what its caller gives up: without this each question would pay.
            self._silent_until[space.id] = monotonic() + _SILENT_SECONDS
            raise
        found = await self._vectors.search(space.name, vector, self._candidates)
        return _Near(space.name, vector, {(document, ordinal): cosine for document, ordinal, cosine in found})

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
