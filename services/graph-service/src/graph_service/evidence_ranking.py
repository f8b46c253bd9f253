"""The order of evidence: what joins entities of the question comes first, then what has its other words."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graph_service.extraction.base import LITERALS
from graph_service.recognition import Recognised
from graph_service.tables import Entity
from service_kit.statements.facts import ALL_STOP_WORDS
from service_kit.statements.normalisation import normalised

_HUB = 200
"""Mentions above which an entity joins too much to say anything."""
_DIRECT, _JOINING = 0.7, 0.6
"""The least of a sentence that names two entities of the question, and of one that names what joins two of them."""
_NEAR, _BEYOND = 0.5, 0.4
"""The most of a sentence that names one of them, and of one that names an entity beside it."""
_TERM = re.compile(r"[^\W_]{3,}")
_STEM = 5
"""Letters that words have in common which differ in their endings."""


class Edge(NamedTuple):
    """What a sentence joins: an entity that was gone on from, and another one; by their ids."""

    sentence: int
    near: int
    far: int
    text: str


class Ranked(NamedTuple):
    """An edge in its place: `steps` from the question's entities, `score` from 0 to 1."""

    edge: Edge
    steps: int
    score: float


class EvidenceRanking:
    """Ranks the sentences that were read for a question; `entities` are those that it names, and those beside them."""

    def __init__(self, question: str, asked: Recognised, entities: Mapping[int, Entity]) -> None:
        self._places = {entity.id: asked.places[entity.id] for entity in asked.entities}
        self._entities = entities
        self._wanted = _terms(question) - {term for word in asked.words for term in _terms(word)}
        self._near: list[Edge] = []
        self._beyond: list[Edge] = []
        self._terms: dict[int, frozenset[str]] = {}
        self._joined = defaultdict[int, set[int]](set)
        """Of what is beside the question's entities: in which places of the question these stand."""

    def add_near(self, edges: Sequence[Edge]) -> None:
        """Take the relations of the question's entities."""
        self._near = list(edges)
        self._read(edges)
        for edge in edges:
            if not self._is_hub(edge.far):
                self._joined[edge.far].add(self._places[edge.near])

    def between(self, most: int) -> list[int]:
        """Return the neighbours of the question's entities whose own relations are to be read, at most `most`."""
        overlap = self._overlap()
        said = defaultdict[int, float](float)
        for edge in self._near:
            # Half the world shares a year, so from a date leads no way on.
            if edge.far in self._joined and self._entities[edge.near].type not in LITERALS:
                said[edge.far] = max(said[edge.far], overlap[edge.sentence])
        order = sorted(said, key=lambda far: (-len(self._joined[far]), -said[far], self._entities[far].mentions, far))
        return order[:most]

    def add_beyond(self, edges: Sequence[Edge]) -> None:
        """Take the relations of those that are gone on from."""
        self._beyond = [edge for edge in edges if edge.far not in self._places and edge.sentence not in self._terms]
        self._read(self._beyond)

    def best(self, most: int) -> list[Ranked]:
        """Return each sentence once, in its best place."""
        overlap = self._overlap()
        said = defaultdict[int, float](float)
        ranked = []
        for edge in self._near:
            said[edge.far] = max(said[edge.far], overlap[edge.sentence])
            ranked.append(Ranked(edge, *self._near_score(edge, overlap[edge.sentence])))
        ranked += (
            Ranked(edge, 2, _BEYOND * (overlap[edge.sentence] + said[edge.near]) / 2)
            for edge in self._beyond
            if overlap[edge.sentence]
        )
        ranked.sort(key=lambda each: (-each.score, each.edge.sentence))
        found: dict[int, Ranked] = {}
        for each in ranked:
            if len(found) == most:
                break
            found.setdefault(each.edge.sentence, each)
        return list(found.values())

    def _near_score(self, edge: Edge, overlap: float) -> tuple[int, float]:
        if edge.far in self._places and self._places[edge.far] != self._places[edge.near]:
            return 0, _DIRECT + (1 - _DIRECT) * overlap
        rare = 1 / (1 + math.log1p(self._entities[edge.far].mentions))
        if len(self._joined[edge.far]) > 1:
            return 1, _JOINING + (_DIRECT - _JOINING) * (rare + overlap) / 2
        return 1, _NEAR * (0.1 * rare + 0.9 * overlap)

    def _is_hub(self, entity: int) -> bool:
        found = self._entities[entity]
        return entity in self._places or found.type in LITERALS or found.mentions > _HUB

    def _read(self, edges: Sequence[Edge]) -> None:
        for edge in edges:
            if edge.sentence not in self._terms:
                text = normalised(edge.text)
                self._terms[edge.sentence] = frozenset(term for term in self._wanted if _begins_a_word(text, term))

    def _overlap(self) -> dict[int, float]:
        """Return the share of the question's other words that each sentence has, the rare ones counting more."""
        counts = Counter(term for terms in self._terms.values() for term in terms)
        weights = {term: math.log(1 + len(self._terms) / (1 + counts[term])) for term in self._wanted}
        total = sum(weights.values()) or 1.0
        return {sentence: sum(weights[term] for term in terms) / total for sentence, terms in self._terms.items()}


def _begins_a_word(text: str, term: str) -> bool:
    place = text.find(term)
    while place > 0 and text[place - 1].isalnum():
        place = text.find(term, place + 1)
    return place >= 0


def _terms(text: str) -> frozenset[str]:
    words = _TERM.findall(normalised(text))
    return frozenset(word[:_STEM] for word in words if word not in ALL_STOP_WORDS)
