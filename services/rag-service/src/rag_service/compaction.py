"""Passages that say more in less room: neighbours joined, and what says the same left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_service.keyword.analysis import terms
from rag_service.ranking import Passage

_LONGEST = 4000
"""Characters of a joined passage, so that it still fits a small model."""
_GAP = 2
"""Characters between two neighbours: the chunker leaves out the blank line."""
_SAME = 0.9
"""Share of common terms from which two passages say the same, if their numbers and codes do too."""


def compacted(passages: Sequence[Passage]) -> list[Passage]:
    """Join neighbouring chunks of a section, and leave out near-duplicates of a better passage; the order stays."""
    kept: list[Passage] = []
    seen: list[frozenset[str]] = []
    for passage in passages:
        words = frozenset(terms(passage.text, ""))
        if any(_says_the_same(words, other) for other in seen):
            continue
        seen.append(words)
        place = next((place for place, other in enumerate(kept) if _are_neighbours(passage, other)), None)
        if place is None:
            kept.append(passage)
        else:
            kept[place] = _joined(kept[place], passage)
    return kept


def _says_the_same(words: frozenset[str], other: frozenset[str]) -> bool:
    different = words ^ other
    return len(different) <= (1 - _SAME) * len(words | other) and not any(map(_has_digit, different))


def _has_digit(term: str) -> bool:
    return any(map(str.isdigit, term))


def _are_neighbours(passage: Passage, other: Passage) -> bool:
    places = [(each.document_id, each.page, each.heading) for each in (passage, other)]
    first, second = sorted((passage, other), key=lambda each: each.start)
    return (
        places[0] == places[1]
        and second.start - first.end <= (_GAP if abs(first.ordinal - second.ordinal) == 1 else 0)
        and max(first.end, second.end) - first.start <= _LONGEST
    )


def _joined(better: Passage, passage: Passage) -> Passage:
    """Return the better passage with the text of both, which count characters on the same page."""
    first, second = sorted((better, passage), key=lambda each: each.start)
    gap = "\n" * (second.start - first.end)
    text = first.text + gap + second.text[second.lead + max(0, first.end - second.start) :]
    return replace(better, start=first.start, end=max(first.end, second.end), text=text)
