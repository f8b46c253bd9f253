"""Which passage bears a sentence out, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llm_providers.sentences import Sentence, split
from rag_service.grounding.facts import Facts, facts_of
from rag_service.keyword.analysis import query_terms
from rag_service.ranking import Passage

_ALIKE = 0.6
"""Least share of a sentence's own words that must stand in the quoted words or around them."""
_LONGEST_QUOTE = 400


@dataclass(frozen=True, slots=True)
class Attribution:
    """The words of one passage that are nearest to a sentence; `start` and `end` count in the passage's text."""

    passage: int
    start: int
    end: int
    supported: bool
    score: float


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


def attribute(sentence: str, language: str, passages: Sequence[Passage]) -> list[Attribution]:
    """Return, for each passage, its words nearest to `sentence`; the best first, those that bear it out in front."""
    claim = facts_of(sentence)
    # Numbers are facts, and are written in more than one way.
    own = frozenset(term for term in query_terms(sentence, [language]) if term.isalpha())
    found = [_in_passage(number, passage, claim, own, language) for number, passage in enumerate(passages)]
    return sorted((each for each in found if each), key=lambda each: (-each.supported, -each.score, each.passage))


def _in_passage(number: int, passage: Passage, claim: Facts, own: frozenset[str], language: str) -> Attribution | None:
    around = facts_of(f"{passage.title}\n{passage.heading}\n{passage.text}")
    best: Attribution | None = None
    for window in _windows(passage.text, passage.title, passage.heading):
        terms = _terms(f"{window.place}\n{window.text}", language)
        alike = len(own & terms) / len(own) if own else 1.0
        said, named = facts_of(window.text), facts_of(window.place)
        # A neighbour's "not" is no denial of what the sentence itself says.
        core = facts_of(max(window.sentences, key=lambda text: len(own & _terms(text, language))))
        supported = alike >= _ALIKE and _borne_out(claim, said, named, around) and not claim.contradicts(core)
        # Of two that are as good, the one that needs fewer words.
        score = alike - (window.end - window.start) / 1e5
        if best is None or (supported, score) > (best.supported, best.score):
            end = min(window.end, window.start + _LONGEST_QUOTE)
            best = Attribution(number, window.start, end, supported, score)
    return best


def _borne_out(claim: Facts, said: Facts, named: Facts, around: Facts) -> bool:
    """Say whether every fact is there: numbers, dates and codes in the quoted words, names anywhere in the passage."""
    if claim.missing_numbers(said) and claim.missing_numbers(named):
        return False
    if not claim.dates <= said.dates | named.dates or not claim.codes <= around.codes:
        return False
    return all(name in around.words for name in claim.names)


def _windows(text: str, title: str, heading: str) -> Iterator[_Window]:
    sentences = _split(text)
    for place, sentence in enumerate(sentences):
        subject = f"{title}\n{heading}\n{_header(text, sentence)}"
        yield _Window(sentence.start, sentence.end, (sentence.text,), subject)
        if place + 1 < len(sentences):
            following = sentences[place + 1]
            yield _Window(sentence.start, following.end, (sentence.text, following.text), subject)


def _header(text: str, sentence: Sentence) -> str:
    """Return the first row of the table that a row stands in, which names its columns."""
    if "|" not in sentence.text:
        return ""
    before = text[: sentence.start].rsplit("\n\n", 1)[-1]
    return next((line for line in before.splitlines() if "|" in line), "")


@lru_cache(maxsize=512)
def _split(text: str) -> tuple[Sentence, ...]:
    return tuple(split(text))


@lru_cache(maxsize=4096)
def _terms(text: str, language: str) -> frozenset[str]:
    return frozenset(query_terms(text, [language], most=10_000))
