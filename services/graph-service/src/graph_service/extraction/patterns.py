"""Extraction without a model: values, capitalised names, and that names stand in one sentence.

Its relations say only that one sentence names both entities.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
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
            mentions += self._mentions(passage, start, end)
            relations += between(mentions, start, end)
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


def between(mentions: Sequence[Found], start: int, end: int) -> list[Related]:
    """Relate the mentions from `start` to `end`, a sentence: each with the next ones, but no value with another."""
    first = bisect_left(mentions, start, key=lambda found: found.start)
    here = [place for place in range(first, len(mentions)) if mentions[place].end <= end]
    related = []
    seen = set()
    for number, place in enumerate(here):
        for other in here[number + 1 : number + 1 + _NEAREST]:
            types = {mentions[place].type, mentions[other].type}
            ends = frozenset((mentions[each].type, mentions[each].key) for each in (place, other))
            if len(ends) == 2 and not types <= LITERALS and ends not in seen:
                seen.add(ends)
                related.append(Related(place, other))
    return related
