"""The order of what was found: scores of the searches blended, a re-ranker's added, and exact terms first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rag_service.keyword.analysis import terms
from service_kit.statements.codes import codes

_VECTOR_SHARE = 0.5
"""Weight of the vectors against the keywords, both scaled to 0…1 over the candidates of one question."""
_VECTOR_SHARE_ACROSS = 0.8
"""The same where question and document are in different languages, which have hardly a word in common."""
_RERANK_SHARE = 0.3
_SURE = 0.1
"""A lead in the blended score from which a re-ranker hardly ever changes the first place (docs/performance.md)."""
_WORDING_SHARE = 0.9
"""What a place in the ranking of another wording counts, against one in the question's own."""
_BEFORE_GRAPH = 3
"""Places before those that a graph shares."""
_PHRASE = re.compile(r"[\"“”„«»]([^\"“”„«»]{3,200})[\"“”„«»]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found; `score` is between 0 and 1 and means something within one answer only.

    `language` is the document's, an ISO 639-1 code or "". The text ends with what stands at `start` to `end` of the page;
    before it comes what is repeated of a table, `lead` characters.
    """

    chunk_id: int
    document_id: str
    ordinal: int
    title: str
    filename: str
    language: str
    page: int
    start: int
    end: int
    heading: str
    text: str
    score: float
    cosine: float | None = None
    keyword: float | None = None

    @property
    def lead(self) -> int:
        return max(0, len(self.text) - (self.end - self.start))

    def place(self, start: int, end: int) -> tuple[int, int, str]:
        """Return where on the page a stretch of the text stands, and its words there; what is repeated stands elsewhere."""
        start, end = max(start, self.lead), max(end, self.lead)
        return self.start + start - self.lead, self.start + end - self.lead, self.text[start:end]


def blended(passages: Sequence[Passage], language: str) -> list[Passage]:
    """Score by both searches, best first, for a question in `language`.

    Min-max scaled, which keeps how much better one chunk is than the next (docs/adr/0005-retrieval.md).
    """
    vector = _scaled({p.chunk_id: p.cosine for p in passages if p.cosine is not None})
    keyword = _scaled({p.chunk_id: p.keyword for p in passages if p.keyword is not None})

    def score(passage: Passage) -> float:
        across = language and passage.language and language != passage.language
        share = (_VECTOR_SHARE_ACROSS if across else _VECTOR_SHARE) if vector else 0.0
        return share * vector.get(passage.chunk_id, 0.0) + (1 - share) * keyword.get(passage.chunk_id, 0.0)

    found = [replace(passage, score=score(passage)) for passage in passages]
    return sorted(found, key=lambda passage: (-passage.score, passage.chunk_id))


def merged(ranked: Sequence[Passage], others: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Score each passage by the ranking that holds it highest: the question's own, or one of its `others` wordings."""
    best = {passage.chunk_id: passage.score for passage in ranked}
    for ranking in others:
        for passage in ranking:
            best[passage.chunk_id] = max(best[passage.chunk_id], _WORDING_SHARE * passage.score)
    found = [replace(passage, score=best[passage.chunk_id]) for passage in ranked]
    return sorted(found, key=lambda passage: (-passage.score, passage.chunk_id))


def interleaved(rankings: Sequence[Sequence[Passage]], limit: int) -> list[Passage]:
    """Return the best passages of each ranking in turn, each passage once."""
    turns = (passage for places in zip_longest(*rankings) for passage in places if passage is not None)
    found: dict[int, Passage] = {}
    for passage in turns:
        found.setdefault(passage.chunk_id, passage)
    return list(found.values())[:limit]


def joined(ranked: Sequence[Passage], by_graph: Mapping[int, float], limit: int) -> list[Passage]:
    """Return the first passages of a search, and then in turn those that a graph scores highest, and the others.

    What answers a question in a second step is not like it, so that no blend of scores brings it up (docs/performance.md).
    """
    first, rest = ranked[:_BEFORE_GRAPH], ranked[_BEFORE_GRAPH:]
    connected = sorted((p for p in rest if p.chunk_id in by_graph), key=lambda p: -by_graph[p.chunk_id])
    return [*first, *interleaved([connected, rest], limit)][:limit]


def is_sure(ranked: Sequence[Passage]) -> bool:
    """Say whether the first place needs no second look."""
    return len(ranked) < 2 or ranked[0].score - ranked[1].score > _SURE


def reranked(ranked: Sequence[Passage], relevance: Mapping[int, float]) -> list[Passage]:
    """Blend in a re-ranker's scores of the first `len(relevance)` passages, by their places; those stay first."""
    scaled = _scaled(relevance)
    head = [
        replace(passage, score=(1 - _RERANK_SHARE) * passage.score + _RERANK_SHARE * scaled[place])
        for place, passage in enumerate(ranked[: len(relevance)])
    ]
    return [*sorted(head, key=lambda passage: -passage.score), *ranked[len(relevance) :]]


def exact_first(question: str, ranked: Sequence[Passage]) -> list[Passage]:
    """Put passages that hold the question's codes and quoted phrases first, those with most of them in front.

    Documents that differ in nothing but a part number are alike to every model, so no score may outweigh it.
    """
    held = exact_terms(question, ranked)
    return [ranked[place] for place in sorted(range(len(ranked)), key=lambda place: -held[place])]


def exact_terms(question: str, passages: Sequence[Passage]) -> list[int]:
    """Return how many of the question's codes and quoted phrases each passage holds."""
    asked, phrases = codes(question), [terms(phrase, "") for phrase in _PHRASE.findall(question)]

    def count(passage: Passage) -> int:
        text = f"{passage.title}\n{passage.heading}\n{passage.text}"
        joined = f" {' '.join(terms(text, ''))} " if phrases else ""
        return len(asked & codes(text)) + sum(f" {' '.join(phrase)} " in joined for phrase in phrases)

    return [count(passage) for passage in passages] if asked or phrases else [0] * len(passages)


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
