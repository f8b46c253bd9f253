"""Extraction without a model: values, capitalised names, and that names stand in one sentence.

What it can't know it does not say: a relation says no more than that one sentence names both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from graph_service.extraction.base import LITERALS, Extraction, Found, Passage, Related
from graph_service.extraction.literals import literals
from graph_service.extraction.names import candidates
from graph_service.passages import sentence_spans

PATTERNS = "patterns"
_NEAREST = 8
"""With how many of the mentions behind it in its sentence a mention is related: a list of a hundred names is no network."""


@dataclass(frozen=True, slots=True)
class PatternExtractor:
    """Finds names of `types`, and values."""

    types: Collection[str]

    async def extract(self, passage: Passage) -> Extraction:
        return await asyncio.to_thread(self.read, passage)

    def read(self, passage: Passage) -> Extraction:
        mentions: list[Found] = []
        relations: list[Related] = []
        for start, end in sentence_spans(passage.text):
            here = self._mentions(passage, start, end)
            relations += [Related(len(mentions) + first, len(mentions) + second) for first, second in _pairs(here)]
            mentions += here
        return Extraction(tuple(mentions), tuple(relations), PATTERNS)

    def _mentions(self, passage: Passage, start: int, end: int) -> list[Found]:
        values = [
            Found(found.start + start, found.end + start, found.type, found.key)
            for found in literals(passage.text[start:end])
        ]
        taken = {place for found in values for place in range(found.start, found.end)}
        names = []
        for candidate in candidates(passage.text, start, end, passage.gazetteer.language):
            type_ = passage.gazetteer.type_of(candidate)
            if type_ is not None and taken.isdisjoint(range(candidate.start, candidate.end)):
                names.append(Found(candidate.start, candidate.end, type_, candidate.key))
        wanted = (found for found in names if found.type in self.types)
        return sorted((*values, *wanted), key=lambda found: found.start)


def _pairs(mentions: Sequence[Found]) -> list[tuple[int, int]]:
    """Return the places of mentions that are related: each with the next ones, of two values none with the other."""
    pairs = []
    seen = set()
    for first, one in enumerate(mentions):
        for second in range(first + 1, min(first + 1 + _NEAREST, len(mentions))):
            other = mentions[second]
            ends = frozenset({(one.type, one.key), (other.type, other.key)})
            if len(ends) == 2 and not {one.type, other.type} <= LITERALS and ends not in seen:
                seen.add(ends)
                pairs.append((first, second))
    return pairs
