"""Which passage supports a sentence, if any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llm_providers.sentences import Sentence
from rag_service.grounding.sentences import split
from rag_service.keyword.analysis import language_of, query_terms
from rag_service.ranking import Passage
from service_kit.statements.alignment import exchanged
from service_kit.statements.facts import ALL_STOP_WORDS, StatedFacts, facts_of
from service_kit.statements.lexicon import (
    GENERIC,
    MAGNITUDES,
    MONTHS_AND_DAYS,
    NUMBER_WORDS,
    PRONOUNS,
    RESTRICTIONS,
    UNITS,
)

_ALIKE = 0.6
"""Least share of a sentence's own words that must stand in the quoted words or around them."""
_FARTHER = 0.3
"""By how much less of a sentence than the nearest words hold others may hold, and still speak for it."""
_FACT_WORDS = UNITS.keys() | MONTHS_AND_DAYS.keys() | NUMBER_WORDS.keys() | MAGNITUDES.keys()
_FEW_WORDS, _ALIKE_OF_FEW = 4, 0.7
"""Of so few words one is the subject, and must not be another."""
_LONGEST_QUOTE = 400
_FIGURE = re.compile(r"\[figure: [^\]]*+\]?")


@dataclass(frozen=True, slots=True)
class Attribution:
    """The words of one passage that are nearest to a sentence; `start` and `end` count in the passage's text.

    `place` names their subject: title, headings, the names of a table's columns.
    """

    passage: int
    start: int
    end: int
    supported: bool
    score: float
    place: str


@dataclass(frozen=True, slots=True)
class _Window:
    """One or two sentences of a passage, with the words that name their subject: title, headings, a table's first row."""

    start: int
    end: int
    sentences: tuple[str, ...]
    place: str

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)

    def shares(self, claim: _Claim) -> list[float]:
        """Return how many of the claim's words stand in each sentence, or in what names its subject."""
        return [claim.share_of(f"{self.place}\n{text}") for text in self.sentences]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of an answer: its facts, and its other words."""

    text: str
    facts: StatedFacts
    own: frozenset[str]
    language: str

    def share_of(self, text: str) -> float:
        """Return how many of its words stand in `text`, from 0 to 1."""
        return len(self.own & _terms(text, self.language)) / len(self.own) if self.own else 1.0


def attribute(sentence: str, passages: Sequence[Passage]) -> list[Attribution]:
    """Return, for each passage, its words nearest to `sentence`; the best first, those that bear it out in front.

    Each is compared in its own language. A sentence in another one has hardly a word in common with any, and is judged by its
    numbers, dates, codes and names alone; without such it is not borne out.
    """
    facts = facts_of(sentence)
    languages = {passage.language for passage in passages}
    claims = {each: _Claim(sentence, facts, _own_words(sentence, facts, each), each) for each in languages}
    read = [(passage, claims[passage.language], list(_windows(passage))) for passage in passages]
    nearest = max((max(window.shares(claim)) for _, claim, windows in read for window in windows), default=0.0)
    found = [_in_passage(number, *each, nearest) for number, each in enumerate(read)]
    if nearest < _ALIKE and (language := language_of(sentence)) not in ("", *languages):
        found = [_by_facts(number, *each, language) for number, each in enumerate(read)]
    return sorted((each for each in found if each), key=lambda each: (-each.supported, -each.score, each.passage))


def _own_words(sentence: str, facts: StatedFacts, language: str) -> frozenset[str]:
    """Return the terms that are no facts: numbers, dates and units are compared as such, since they are written in many ways."""
    content = facts.words - _FACT_WORDS - ALL_STOP_WORDS - RESTRICTIONS
    words = " ".join(content - GENERIC or ({} if facts.numbers or facts.dates else content))
    if not words and (facts.numbers or facts.dates or facts.codes):
        return frozenset()
    return frozenset(term for term in query_terms(words or sentence, [language]) if term.isalpha())


def _in_passage(
    number: int, passage: Passage, claim: _Claim, windows: Sequence[_Window], nearest: float
) -> Attribution | None:
    around = facts_of(f"{passage.title}\n{passage.heading}\n{passage.text}")
    best: Attribution | None = None
    for window in windows:
        alike = claim.share_of(f"{window.place}\n{window.text}")
        supported = (
            alike >= (_ALIKE if len(claim.own) >= _FEW_WORDS else _ALIKE_OF_FEW)
            and _borne_out(claim, window, around)
            and _agrees(claim, window, around, nearest)
        )
        # Of two that are as good, the one that needs fewer words.
        score = alike - (window.end - window.start) / 1e5
        if best is None or (supported, score) > (best.supported, best.score):
            end = min(window.end, window.start + _LONGEST_QUOTE)
            best = Attribution(number, window.start, end, supported, score, window.place)
    return best


def _by_facts(
    number: int, passage: Passage, claim: _Claim, windows: Sequence[_Window], language: str
) -> Attribution | None:
    """Return the words that have the facts of a sentence in another language, whose other words can't be compared."""
    facts = claim.facts
    around = facts_of(f"{passage.title}\n{passage.heading}\n{passage.text}")
    # In German every noun is capitalised.
    named = language == "de" or facts.names <= around.words
    best: Attribution | None = None
    for window in windows:
        said, place = facts_of(window.text), facts_of(window.place)
        held = len(facts.dates & said.dates) + len(facts.codes & said.codes) + len(facts.names & said.words)
        missing = facts.missing_numbers(said, place)
        score = held + len(facts.numbers) - len(missing) - (window.end - window.start) / 1e5
        supported = (
            score > 0
            and not missing
            and facts.dates <= said.dates | place.dates
            and facts.codes <= said.codes | place.codes
            and named
        )
        if best is None or (supported, score) > (best.supported, best.score):
            end = min(window.end, window.start + _LONGEST_QUOTE)
            best = Attribution(number, window.start, end, supported, score, window.place)
    return best


def _borne_out(claim: _Claim, window: _Window, around: StatedFacts) -> bool:
    """Say whether every fact is there: numbers, dates and codes in the quoted words, names anywhere in the passage."""
    facts, said, named = claim.facts, facts_of(window.text), facts_of(window.place)
    return (
        not facts.missing_numbers(said, named)
        and facts.dates <= said.dates | named.dates
        and facts.codes <= around.codes
        and all(
            _terms(name, claim.language) & _stems(around.words, claim.language) for name in facts.names - around.words
        )
    )


def _agrees(claim: _Claim, window: _Window, around: StatedFacts, nearest: float) -> bool:
    """Say whether the sentence nearest to the claim says the same of the same; its neighbour may say what it likes of others.

    `nearest` is the share of the nearest sentence of all passages: one that is much farther does not speak for it.
    """
    shares = window.shares(claim)
    if max(shares) < nearest - _FARTHER:
        return False
    near = [text for text, share in zip(window.sentences, shares, strict=True) if share >= min(_ALIKE, max(shares))]
    named = facts_of(window.place).words
    return any(
        not claim.facts.contradicts(facts_of(text))
        and not exchanged(claim.text, text, around.names)
        and not _of_another(claim.facts, facts_of(text), named)
        for text in near
    )


def _of_another(claim: StatedFacts, source: StatedFacts, named: frozenset[str]) -> bool:
    """Say whether a sentence speaks of others than the claim: of other codes, or of other names and of none before it."""
    if claim.codes - source.codes and source.codes - claim.codes:
        return True
    missing = claim.names - source.words - named
    return bool(missing and source.names - claim.words - named and not source.words & PRONOUNS)


def _windows(passage: Passage) -> Iterator[_Window]:
    """Yield what may be quoted; not what a vision model wrote of a picture, which are no words of the document."""
    text = passage.text
    figures = [match.span() for match in _FIGURE.finditer(text)]
    sentences = [
        each for each in split(text) if not any(start < each.end and each.start < end for start, end in figures)
    ]
    for place, sentence in enumerate(sentences):
        if sentence.end <= passage.lead:
            continue  # the names of columns, which say nothing
        subject = f"{passage.title}\n{passage.heading}\n{_header(text, sentence)}"
        yield _Window(sentence.start, sentence.end, (sentence.text,), subject)
        # A row of a table is about its own first cell.
        if place + 1 < len(sentences) and "|" not in sentence.text:
            following = sentences[place + 1]
            if any(sentence.end <= start < following.start for start, _ in figures):
                continue
            yield _Window(sentence.start, following.end, (sentence.text, following.text), subject)


def _header(text: str, sentence: Sentence) -> str:
    """Return the first row of the table that a row stands in, which names its columns."""
    if "|" not in sentence.text:
        return ""
    before = text[: sentence.start].rsplit("\n\n", 1)[-1]
    return next((line for line in before.splitlines() if "|" in line), "")


@lru_cache(maxsize=4096)
def _terms(text: str, language: str) -> frozenset[str]:
    return frozenset(query_terms(text, [language], most=10_000))


@lru_cache(maxsize=512)
def _stems(words: frozenset[str], language: str) -> frozenset[str]:
    return _terms(" ".join(words), language)
