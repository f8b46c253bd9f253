"""What the texts around a passage say of its names: which are names at all, and of which type."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from graph_service.extraction import lexicon
from graph_service.extraction.names import NAME, Candidate, candidates
from graph_service.passages import sentence_spans

_LOWER = re.compile(r"\b[^\W\d_A-Z][^\W\d_]{2,30}")
_WEAK, _STRONG = 1, 3
"""What a hint of the surroundings counts for, and what a name's own words do."""


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Names by their keys with the types that were seen of them, and the words that are written small as well.

    `names` are those that are names for certain, `seen` all that may be.
    """

    language: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    lower: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str], language: str) -> Gazetteer:
        """Read titles and pages."""
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        sure: set[str] = set()
        lower: set[str] = set()
        seen: set[str] = set()
        for text in texts:
            lower.update(match.group().lower() for match in _LOWER.finditer(text))
            for start, end in sentence_spans(text):
                for candidate in candidates(text, start, end, language):
                    seen.add(candidate.key)
                    if candidate.sure:
                        sure.add(candidate.key)
                    _vote(votes, candidate)
        types = {key: counts.most_common(1)[0][0] for key, counts in votes.items()}
        return cls(language, types, frozenset(sure), frozenset(lower), frozenset(seen))

    def with_known(self, known: Mapping[str, str]) -> Gazetteer:
        """Return the same with the types that names have in other documents, where these texts say nothing of theirs."""
        return replace(self, types={**known, **self.types}, names=self.names | known.keys())

    def type_of(self, candidate: Candidate) -> str | None:
        """Return the type of what is a name, "other" if nothing says which; None for what is none."""
        type_ = candidate.type or self.types.get(candidate.key) or candidate.hint
        if candidate.sure or candidate.type or candidate.key in self.names:
            return type_ or NAME
        # A capital that says nothing: the word is a name if it is never written small, and there is something more to it.
        if len(candidate.words) > 1 and not candidate.plain and not any(word in self.lower for word in candidate.words):
            return type_ or NAME
        return type_ if type_ and candidate.words[0] not in self.lower else None


def _vote(votes: dict[str, Counter[str]], candidate: Candidate) -> None:
    if candidate.type:
        votes[candidate.key][candidate.type] += _STRONG
    elif candidate.hint:
        votes[candidate.key][candidate.hint] += _WEAK
    if (candidate.type or candidate.hint) == "person" and len(candidate.words) > 1:
        # A person who was named in full is called by one name afterwards.
        for word in (candidate.words[0], candidate.words[-1]):
            votes[word]["person"] += _STRONG if candidate.type else _WEAK
    if (
        candidate.type == "organisation"
        and len(candidate.words) == 2
        and candidate.words[1] in lexicon.ORGANISATION_ENDS
    ):
        votes[candidate.words[0]]["organisation"] += _STRONG
