"""Hybrid retrieval: keyword and vector search, fused by normalised score, re-ranked where a reranker is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, perf_counter

import structlog
from sqlalchemy import and_, func, or_, select

from llm_providers.base import LateInteraction, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded, Unavailable
from llm_providers.types import EmbedKind, TokenDocument, Vectors
from rag_service import chunk_tokens
from rag_service.filters import Filter
from rag_service.graph import GraphService, NoGraph, chunks_of
from rag_service.indexes import WRONG_MODEL, Indexes, embedding_text
from rag_service.keyword import KeywordIndex
from rag_service.keyword.analysis import language_of
from rag_service.metrics import SearchMetrics
from rag_service.ranking import Passage, blended, exact_first, is_sure, joined, merged, reranked
from rag_service.relevance import is_relevant
from rag_service.tables import Chunk, Document, Index
from rag_service.versions import OFF
from service_kit.database import Database
from service_kit.errors import UpstreamUnavailable
from service_kit.jobs import READY

log = structlog.get_logger(__name__)
_EMBED_SECONDS = 20
"""How long a question waits for its vector before it is answered by keywords: a model that has to be loaded takes longer."""
_SILENT_SECONDS = 15
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Passages best first; `degraded` says which part of the search was missing, `reasons` why; `seconds` per stage.

    `relevant` is false where none of them is near enough to the question to be worth an answer; `sure` is true where the
    first is ahead of all others, so that more searching can't change much.
    """

    passages: list[Passage]
    degraded: tuple[str, ...]
    seconds: dict[str, float]
    reasons: tuple[str, ...] = ()
    relevant: bool = True
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _VectorHits:
    """The vectors of the question and its other wordings, the index they were sought in, and what was found near each."""

    index: Index
    backend: str
    model: str
    vectors: Vectors
    cosines: list[Mapping[tuple[str, int], float]]


@dataclass(frozen=True, slots=True)
class _GraphHits:
    """The chunks that hold what joins the question's entities, with scores from 0 to 1; `reasons` why there are none."""

    chunks: Mapping[int, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class Retriever:
    """Searches one collection."""

    database: Database
    keyword: KeywordIndex
    indexes: Indexes
    reranker: RerankProvider | None
    token_reranker: Callable[[str], Awaitable[LateInteraction | None]]
    """Of an embedding backend: returns what re-ranks by the token vectors in its indexes, if the policy has it re-rank."""
    graph: GraphService
    graph_search: bool
    """Whether the graph, if there is one, is searched for questions that do not say whether to."""
    metrics: SearchMetrics
    candidates: int
    rerank_top: int
    _no_vector_until: dict[str, float] = field(default_factory=dict)

    async def search(
        self,
        collection: str,
        question: str,
        limit: int,
        deadline: Deadline,
        wordings: Sequence[str] = (),
        within: Filter | None = None,
        *,
        graph: bool | None = None,
    ) -> Found:
        """Find passages; where the index's own vectors can't be had the keywords alone decide, and `degraded` says so.

        Other `wordings` of the question bring further candidates, and so do the sentences of the collection's `graph` about what
        the question names; `within` says which documents are searched. Of a document that is replaced meanwhile, either the old
        version is found or the new one.
        """
        started = perf_counter()
        documents: list[str] | None = None
        asked = [question, *wordings]
        loaded, tries = None, _TRIES
        while loaded is None:
            if within is not None:
                async with self.database.reading() as session:
                    documents = await within.matching(session, collection)
                if not documents:
                    return Found([], (), {"search": round(perf_counter() - started, 4)})
            (near, reasons, vector_seconds), (by_keyword, keyword_seconds), joining = await asyncio.gather(
                self._by_vector(collection, asked, deadline, documents),
                self._by_keyword(collection, asked, documents),
                self._by_graph(graph, collection, question, documents),
            )
            tries -= 1
            loaded = await self._load(near.cosines if near else [], by_keyword, joining.chunks, whole=tries > 0)
        passages, ready = loaded
        if near is not None:
            passages = await self._with_cosines(near, passages)
            # Every chunk of a ready document has its vector, so this index has lost them all.
            if not any(near.cosines) and ready:
                log.warning("the vector index is empty", collection=collection, index=near.index.name)
                reasons = ("searched by keywords alone: the vector index is empty; reindexing the collection fills it",)
        degraded: tuple[str, ...] = ("embeddings",) if reasons else ()
        if joining.reasons:
            degraded, reasons = (*degraded, "graph"), (*reasons, *joining.reasons)
        language = await asyncio.to_thread(language_of, question)
        ranked = blended(passages, language)
        if wordings:
            ranked = merged(ranked, self._by_wording(near, by_keyword, passages, language))
        seconds = {"vectors": vector_seconds, "keywords": keyword_seconds, "search": perf_counter() - started}
        if joining.seconds:
            seconds["graph"] = joining.seconds
        if self.reranker is not None and self.rerank_top:
            begun = perf_counter()
            try:
                relevance = await self._relevance(self.reranker, near, question, ranked, deadline)
                ranked = reranked(ranked, relevance)
            except Unavailable as error:
                log.warning("search without reranking", error=type(error).__name__)
                degraded, reasons = (*degraded, "rerank"), (*reasons, f"searched without reranking: {error}")
            seconds["rerank"] = perf_counter() - begun
        self.metrics.searched(degraded)
        ranked = exact_first(question, ranked)
        relevant = is_relevant(question, language, ranked, near.model if near else "")
        rounded = {name: round(value, 4) for name, value in seconds.items()}
        first = joined(ranked, joining.chunks, limit)
        return Found(first, degraded, rounded, reasons, relevant, is_sure(ranked))

    async def are_current(self, passages: Sequence[Passage]) -> bool:
        """Return whether all documents of the passages are to be found at one moment, which is now."""
        wanted = {passage.document_id for passage in passages}
        statement = select(func.count()).where(Document.id.in_(wanted), Document.searchable)
        async with self.database.reading() as session:
            return await session.scalar(statement) == len(wanted)

    async def _by_vector(
        self, collection: str, asked: Sequence[str], deadline: Deadline, documents: Collection[str] | None
    ) -> tuple[_VectorHits | None, tuple[str, ...], float]:
        """Search the index that answers at this moment, if there is one; with the reason where it can't be searched."""
        started = perf_counter()
        soon = Deadline.after(min(_EMBED_SECONDS, deadline.remaining))
        near, reasons, index = None, tuple[str, ...](), None
        try:
            index = await self.indexes.active(collection)
            if index is not None:
                self._refuse_if_silent(index.id)
                space = await self.indexes.space(index)
                vectors = await self.indexes.fallback.embed(space, asked, EmbedKind.QUERY, soon)
                nearest = [
                    await self.indexes.vectors.search(index.name, vector, self.candidates, documents)
                    for vector in vectors
                ]
                cosines = [{(document, ordinal): cosine for document, ordinal, cosine in each} for each in nearest]
                near = _VectorHits(
                    index,
                    space.backend,
                    space.space.model.model,
                    vectors,
                    list[Mapping[tuple[str, int], float]](cosines),
                )
        except (Unavailable, UpstreamUnavailable, DeadlineExceeded, *WRONG_MODEL) as error:
            if isinstance(error, DeadlineExceeded):
                if deadline.remaining <= 0:
                    raise
                if index is not None:
                    # No breaker counts what its caller gives up: without this each question would pay.
                    self._no_vector_until[index.id] = monotonic() + _SILENT_SECONDS
            log.warning("search by keywords alone", error=type(error).__name__, why=str(error))
            reasons = (f"searched by keywords alone: {error}",)
        return near, reasons, perf_counter() - started

    def _refuse_if_silent(self, index_id: str) -> None:
        if (left := self._no_vector_until.get(index_id, 0.0) - monotonic()) > 0:
            raise Unavailable(f"no vector within {_EMBED_SECONDS} s; the next try is in {left:.0f} s")

    async def _with_cosines(self, near: _VectorHits, passages: list[Passage]) -> list[Passage]:
        """Score by vector what only the keywords found: left at zero, fusion would lose to either search alone."""
        missing = {(p.document_id, p.ordinal): p for p in passages if p.cosine is None}
        try:
            cosines = await self.indexes.vectors.cosines(near.index.name, near.vectors[0], list(missing))
        except UpstreamUnavailable:
            return passages
        return [
            p if p.cosine is not None else replace(p, cosine=cosines.get((p.document_id, p.ordinal))) for p in passages
        ]

    async def _by_keyword(
        self, collection: str, asked: Sequence[str], documents: Collection[str] | None
    ) -> tuple[list[Mapping[int, float]], float]:
        started = perf_counter()
        async with self.database.reading() as session:
            scores = [
                dict(await self.keyword.search(session, collection, each, self.candidates, documents)) for each in asked
            ]
        return list[Mapping[int, float]](scores), perf_counter() - started

    async def _by_graph(
        self,
        wanted: bool | None,
        collection: str,
        question: str,
        documents: Collection[str] | None,
    ) -> _GraphHits:
        if not (self.graph_search if wanted is None else wanted):
            return _GraphHits()
        started = perf_counter()
        try:
            connections = await self.graph.connections(collection, question)
        except UpstreamUnavailable as error:
            if isinstance(error, NoGraph) and wanted is None:
                return _GraphHits(seconds=perf_counter() - started)
            log.warning("search without the graph", why=error.detail)
            return _GraphHits({}, (f"searched without the graph: {error.detail}",), perf_counter() - started)
        async with self.database.reading() as session:
            chunks = await chunks_of(session, collection, connections, documents)
        return _GraphHits(chunks, (), perf_counter() - started)

    def _by_wording(
        self,
        near: _VectorHits | None,
        by_keyword: Sequence[Mapping[int, float]],
        passages: Sequence[Passage],
        language: str,
    ) -> list[list[Passage]]:
        """Return the ranking of each other wording, of what its own searches found."""
        rankings = []
        for place in range(1, len(by_keyword)):
            cosines = near.cosines[place] if near else {}
            scored = (
                replace(p, cosine=cosines.get((p.document_id, p.ordinal)), keyword=by_keyword[place].get(p.chunk_id))
                for p in passages
            )
            found = [p for p in scored if p.cosine is not None or p.keyword is not None]
            rankings.append(blended(found, language))
        return rankings

    async def _load(
        self,
        by_vector: Sequence[Mapping[tuple[str, int], float]],
        by_keyword: Sequence[Mapping[int, float]],
        by_graph: Collection[int],
        whole: bool,
    ) -> tuple[list[Passage], bool] | None:
        """Return the passages, and whether one is of a document that has been read to its end.

        None if `whole` is wanted, and a candidate's document has left the indexes since they were searched.
        """
        places = {place for found in by_vector for place in found}
        words = {chunk for found in by_keyword for chunk in found}
        cosines, scores = by_vector[0] if by_vector else {}, by_keyword[0]
        keys = [and_(Chunk.document_id == document, Chunk.ordinal == ordinal) for document, ordinal in places]
        statement = (
            select(Chunk, Document.title, Document.filename, Document.language, Document.status)
            .join(Document, Document.id == Chunk.document_id)
            .where(Document.searchable, or_(Chunk.id.in_(words.union(by_graph)), *keys))
        )
        documents = {document for document, _ in places}
        in_indexes = select(func.count()).where(Document.id.in_(documents), Document.status.not_in(OFF))
        async with self.database.reading() as session:
            rows = (await session.execute(statement)).all()
            present = await session.scalar(in_indexes)
        if whole and (present != len(documents) or words - {row[0].id for row in rows}):
            return None
        passages = [
            Passage(
                chunk_id=chunk.id,
                document_id=chunk.document_id,
                ordinal=chunk.ordinal,
                title=title,
                filename=filename,
                language=language or "",
                page=chunk.page,
                start=chunk.start,
                end=chunk.end,
                heading=chunk.heading,
                text=chunk.text,
                score=0.0,
                cosine=cosines.get((chunk.document_id, chunk.ordinal)),
                keyword=scores.get(chunk.id),
            )
            for chunk, title, filename, language, _ in rows
        ]
        return passages, any(row[4] == READY for row in rows)

    async def _relevance(
        self,
        rerank: RerankProvider,
        near: _VectorHits | None,
        question: str,
        ranked: Sequence[Passage],
        deadline: Deadline,
    ) -> dict[int, float]:
        """Return scores of the first passages by place: by token vectors where the index has them, which takes no time.

        Otherwise the texts have to be read, and nothing is returned where the first place is sure.
        """
        head = ranked[: self.rerank_top]
        texts = [embedding_text(passage.title, passage.heading, passage.text) for passage in head]
        by_tokens = await self.token_reranker(near.backend) if near is not None else None
        if near is not None and by_tokens is not None:
            async with self.database.reading() as session:
                packed = await chunk_tokens.load(session, near.index.id, [passage.chunk_id for passage in head])
            if len(packed) == len(head) or not is_sure(ranked):
                kept = (packed.get(passage.chunk_id, b"") for passage in head)
                documents = [TokenDocument(text, tokens) for text, tokens in zip(texts, kept, strict=True)]
                return dict(enumerate(await by_tokens.rerank_tokens(question, documents, deadline)))
        elif not is_sure(ranked):
            results = await rerank.rerank(question, texts, len(texts), deadline)
            return dict.fromkeys(range(len(head)), 0.0) | {result.index: result.score for result in results}
        return {}
