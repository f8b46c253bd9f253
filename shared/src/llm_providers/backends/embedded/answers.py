"""Answers by extraction: the sources' own sentences, chosen by relevance, each with its label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from math import log

import numpy as np

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.grounding import NO_ANSWER
from llm_providers.sentences import split, words
from llm_providers.types import EmbedKind, Source, Vectors

_MAX_SENTENCES = 3
_LEXICAL = 0.4
"""Weight of shared words against late interaction: names and numbers matter more than MiniLM's vectors tell."""
_FIRST_SOURCE = 0.15
_KIND = 0.1
"""What a sentence gains by standing in the best source, and by holding the kind of thing that is asked for."""
_CLOSE = 0.87
"""A further sentence is quoted if it scores at least this share of the best one."""
_LONGEST = 1500
_COMPLEMENT = 0.1
"""Share of the question's words, rare ones first, that a further sentence of the same source must add to be quoted."""
_TITLE = 200
"""Characters of a sentence, and of its source's title, that are compared with the question."""

_NUMBER = re.compile(
    r"\d|%|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million|percent)\b", re.I
)
_DATE = re.compile(
    r"\b(?:1\d{3}|20\d\d|\d{1,2}[:.]\d\d)\b|\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|okt|nov|dec|dez)\w*\b|"
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|century|\b\w+(?:dag|tag)\b",
    re.I,
)
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")
_KINDS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        re.compile(
            r"\bhow (?:many|much|long|old|far|high|large|big|often|tall)\b|\b(?:percent|number|amount|temperature|costs?|price)|hoeveel|wie ?viele?",
            re.I,
        ),
        _NUMBER,
    ),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|time|century)|wanneer|\bwann\b", re.I), _DATE),
    (re.compile(r"\bwho\b|\bwhom\b|\bwhose\b|\bwie (?!viel)|\bwer\b", re.I), _NAME),
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    source: Source
    rank: int


def answer(encoder: Encoder, question: str, sources: Sequence[Source]) -> str:
    """Return one to three sentences with `[label]` behind each, or `NO_ANSWER`."""
    candidates = _candidates(sources)
    if not candidates:
        return NO_ANSWER
    likeness, words_held = _likeness(encoder, question, candidates), _WordsHeld(question, candidates)
    relevance = (1 - _LEXICAL) * likeness + _LEXICAL * words_held.shares()
    score = relevance + np.array([_FIRST_SOURCE / (1 + candidate.rank) for candidate in candidates])
    if (kind := next((kind for asked, kind in _KINDS if asked.search(question)), None)) is not None:
        score += np.array([_KIND * (kind.search(candidate.text) is not None) for candidate in candidates])
    order = [int(index) for index in np.argsort(-score)[:_MAX_SENTENCES]]
    best, enough = order[0], encoder.least_relevance
    if relevance[best] < enough:
        return NO_ANSWER
    chosen = [index for index in order if score[index] >= _CLOSE * score[best] and relevance[index] >= enough]
    further = words_held.complement(best)
    if len(chosen) < _MAX_SENTENCES and further is not None and further not in chosen:
        chosen.append(further)
    # In one line: where the source breaks its lines is no part of what it says.
    said = [(" ".join(candidates[index].text.split()), candidates[index].source.label) for index in chosen]
    return " ".join(f"{sentence} [{label}]" for sentence, label in said)


def _candidates(sources: Sequence[Source]) -> list[_Candidate]:
    """Return the sources' sentences, each once: overlapping passages share some."""
    found: dict[str, _Candidate] = {}
    for rank, source in enumerate(sources):
        for sentence in split(source.text):
            if not sentence.heading and len(sentence.text) > 15:
                found.setdefault(sentence.text, _Candidate(sentence.text, source, rank))
    return list(found.values())


def _likeness(encoder: Encoder, question: str, candidates: Sequence[_Candidate]) -> Vectors:
    """Return the late interaction (https://arxiv.org/abs/2004.12832) of the question with each sentence, behind its title."""
    titled = [f"{candidate.source.title[:_TITLE]}: {candidate.text}"[:_LONGEST] for candidate in candidates]
    (asked,) = encoder.token_vectors([question[:_LONGEST]], EmbedKind.QUERY)
    read = encoder.token_vectors(titled)
    return np.array([(asked @ vectors.T).max(axis=1).mean() for vectors in read], np.float32)


class _WordsHeld:
    """Which of the question's words each sentence has; a word counts for as much as it is rare among the sentences."""

    def __init__(self, question: str, candidates: Sequence[_Candidate]) -> None:
        self._candidates = candidates
        held = [set(words(candidate.text)) for candidate in candidates]
        frequency = Counter(word for each in held for word in each)
        self._rarity = {word: log(1 + len(held) / (1 + frequency[word])) for word in set(words(question))}
        self._held = [self._rarity.keys() & each for each in held]
        self._total = sum(self._rarity.values()) or 1.0

    def shares(self) -> Vectors:
        """Return, for each sentence, the share of the question's words that it has."""
        return np.array([self._share(held) for held in self._held], np.float32)

    def complement(self, best: int) -> int | None:
        """Return the sentence of the same source that has most of the words that `best` lacks, if it has enough of them."""
        source = self._candidates[best].rank
        added = {
            index: self._share(held - self._held[best])
            for index, held in enumerate(self._held)
            if self._candidates[index].rank == source and index != best
        }
        found = max(added, key=lambda index: added[index], default=None)
        return found if found is not None and added[found] >= _COMPLEMENT else None

    def _share(self, held: Set[str]) -> float:
        return sum(self._rarity[word] for word in held) / self._total


def digest(encoder: Encoder, text: str, count: int = _MAX_SENTENCES) -> str:
    """Return the `count` most central sentences of `text`, in the order in which they stand."""
    sentences = [sentence.text for sentence in split(text)] or [text.strip() or "."]
    if len(sentences) <= count:
        return " ".join(sentences)
    vectors = encoder.encode([sentence[:_LONGEST] for sentence in sentences], truncate=True)
    centrality = vectors @ vectors.mean(axis=0)
    return " ".join(sentences[index] for index in sorted(np.argsort(-centrality)[:count]))
