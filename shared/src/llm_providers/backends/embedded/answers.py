"""Answers by extraction: the sources' own sentences, chosen by relevance, each with its label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.sentences import split, words
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import EmbedKind, Source, Vectors

_MAX_SENTENCES = 3
_LEXICAL = 0.4
"""Weight of shared words against late interaction: names and numbers matter more than MiniLM's vectors tell."""
_FIRST_SOURCE = 0.15
_KIND = 0.1
"""What a sentence gains by standing in the best source, and by holding the kind of thing that is asked for."""
_ENOUGH = 0.46
"""Least relevance of an answer; docs/performance.md says how often that abstains, rightly and wrongly."""
_CLOSE = 0.9
"""A further sentence is quoted if it scores at least this share of the best one."""
_LONGEST = 1500
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
    relevance = _relevance(encoder, question, candidates)
    score = relevance + np.array([_FIRST_SOURCE / (1 + candidate.rank) for candidate in candidates])
    if (kind := next((kind for asked, kind in _KINDS if asked.search(question)), None)) is not None:
        score += np.array([_KIND * (kind.search(candidate.text) is not None) for candidate in candidates])
    order = [int(index) for index in np.argsort(-score)[:_MAX_SENTENCES]]
    if relevance[order[0]] < _ENOUGH:
        return NO_ANSWER
    chosen = [index for index in order if score[index] >= _CLOSE * score[order[0]] and relevance[index] >= _ENOUGH]
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


def _relevance(encoder: Encoder, question: str, candidates: Sequence[_Candidate]) -> Vectors:
    """Blend late interaction (https://arxiv.org/abs/2004.12832) with the share of the question's words, rare ones first."""
    titled = [f"{candidate.source.title[:_TITLE]}: {candidate.text}"[:_LONGEST] for candidate in candidates]
    (asked,) = encoder.token_vectors([question[:_LONGEST]], EmbedKind.QUERY)
    read = encoder.token_vectors(titled)
    likeness = np.array([(asked @ vectors.T).max(axis=1).mean() for vectors in read], np.float32)
    held = [set(words(candidate.text)) for candidate in candidates]
    frequency = Counter(word for each in held for word in each)
    rarity = {word: log(1 + len(held) / (1 + frequency[word])) for word in set(words(question))}
    total = sum(rarity.values()) or 1.0
    shared = np.array([sum(rarity[word] for word in rarity.keys() & each) / total for each in held], np.float32)
    return (1 - _LEXICAL) * likeness + _LEXICAL * shared


def digest(encoder: Encoder, text: str, count: int = _MAX_SENTENCES) -> str:
    """Return the `count` most central sentences of `text`, in the order in which they stand."""
    sentences = [sentence.text for sentence in split(text)] or [text.strip() or "."]
    if len(sentences) <= count:
        return " ".join(sentences)
    vectors = encoder.encode([sentence[:_LONGEST] for sentence in sentences], truncate=True)
    centrality = vectors @ vectors.mean(axis=0)
    return " ".join(sentences[index] for index in sorted(np.argsort(-centrality)[:count]))
