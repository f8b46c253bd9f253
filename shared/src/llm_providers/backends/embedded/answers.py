"""Answers by extraction: the sources' own sentences, chosen by relevance, each with its label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import zip_longest
from math import log

import numpy as np

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.grounding import NO_ANSWER
from llm_providers.sentences import STOP_WORDS, Sentence, split, words
from llm_providers.types import EmbedKind, Source, Vectors

_MAX_SENTENCES = 3
_LEXICAL = 0.3
"""Weight of shared words against late interaction: names and numbers matter more than the vectors say."""
_CONTEXT = 0.3
"""Weight of a word that stands in the sentences before, against one in the sentence itself."""
_CONTEXT_SENTENCES = 3
_FIRST_SOURCE = 0.1
_KIND = 0.2
"""What a sentence gains by standing in the best source, and by holding the kind of thing that is asked for."""
_CLOSE = 0.8
"""A further sentence is quoted if it scores at least this share of the best one."""
_LEAST_RELEVANCE = 0.54
_FOREIGN_WORDS = 0.2
_FOREIGN_LIKENESS = 0.45
"""An answer is at least so relevant, or, where no sentence has more of the question's words, for want of a common language,
so like the question; docs/performance.md says how often that abstains, rightly and wrongly."""
_LONGEST = 1500
_SHORTEST = 15
"""Characters of a sentence that may be quoted."""
_COMPLEMENT = 0.1
"""Share of the question's words, rare ones first, that a further sentence of the same source must add to be quoted."""
_TITLE = 200
"""Characters of a sentence, and of its source's title, that are compared with the question."""

_FEWEST_ROWS = 2
_NAMED_NUMBER = re.compile(r"\b([^\W\d_]{3,}) (\d+)\b")
_NUMBER_IN = re.compile(r"\d")
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
    row: bool = False


def answer(encoder: Encoder, question: str, sources: Sequence[Source]) -> str:
    """Return one to three sentences with `[label]` behind each, or `NO_ANSWER`."""
    candidates = _candidates(sources)
    if not candidates:
        return NO_ANSWER
    likeness, words_held = _likeness(encoder, question, candidates), _WordsHeld(question, candidates)
    shares = words_held.shares()
    relevance = (1 - _LEXICAL) * likeness + _LEXICAL * (shares + _CONTEXT * words_held.context_shares())
    score = relevance + np.array([_FIRST_SOURCE / (1 + candidate.rank) for candidate in candidates])
    if (kind := next((kind for asked, kind in _KINDS if asked.search(question)), None)) is not None:
        score += np.array([_KIND * (kind.search(candidate.text) is not None) for candidate in candidates])
    order = [int(index) for index in np.argsort(-score)[:_MAX_SENTENCES]]
    best = order[0]
    foreign = shares.max() < _FOREIGN_WORDS
    enough = likeness >= _FOREIGN_LIKENESS if foreign else relevance >= _LEAST_RELEVANCE
    if not enough[best]:
        return NO_ANSWER
    chosen = [index for index in order if score[index] >= _CLOSE * score[best] and enough[index]]
    chosen = [index for index in chosen if words_held.is_same_subject(best, index)]
    others = _OtherNumber(question)
    chosen = [index for index in chosen if index == best or not others.is_named(candidates[index].text)]
    further = {index for index in words_held.complements(best) if not others.is_named(candidates[index].text)}
    if further := further - set(chosen):
        chosen[_MAX_SENTENCES - 1 :] = [max(further, key=lambda index: score[index])]
    # In one line: where the source breaks its lines is no part of what it says.
    said = [(" ".join(candidates[index].text.split()), candidates[index].source.label) for index in chosen]
    return " ".join(f"{text}{'.' if text[-1:].isalnum() else ''} [{label}]" for text, label in said)


def _candidates(sources: Sequence[Source]) -> list[_Candidate]:
    """Return the sources' sentences, each once: overlapping passages share some; table rows with the names of their columns."""
    found: dict[str, _Candidate] = {}
    for rank, source in enumerate(sources):
        columns: list[str] = []
        for sentence in _unbroken(source.text):
            text = sentence.text
            if (cells := _cells(text)) and not columns:
                columns = cells
                continue
            columns = columns if cells else []
            rows = [_row(columns, cells)] if cells else _unmarked_rows(text)
            for quoted in rows or [text]:
                if not sentence.heading and len(quoted) > _SHORTEST:
                    found.setdefault(quoted, _Candidate(quoted, source, rank, bool(rows)))
    return list(found.values())


def _unbroken(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a text; one that ends in a preposition or the like goes on behind the blank line of a scan."""
    begun: Sentence | None = None
    for sentence in split(text):
        if begun is not None and not sentence.heading:
            sentence = Sentence(text[begun.start : sentence.end], begun.start, sentence.end)
        elif begun is not None:
            yield begun
        last = sentence.text.rsplit(maxsplit=1)[-1]
        goes_on = last in STOP_WORDS and not sentence.heading and len(sentence.text) < _LONGEST
        begun = sentence if goes_on else None
        if begun is None:
            yield sentence
    if begun is not None:
        yield begun


def _row(columns: Sequence[str], cells: Sequence[str]) -> str:
    named = zip_longest(columns, cells, fillvalue="")
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell) + "."


def _cells(row: str) -> list[str]:
    """Return the cells of a Markdown table's row, [] of anything else."""
    row = row.strip()
    return [cell.strip() for cell in row.strip("|").split("|")] if row.startswith("|") and row.endswith("|") else []


def _unmarked_rows(text: str) -> list[str]:
    """Return the rows of a table that came without marks, as from a PDF, behind its first line; [] of anything else."""
    first, *rows = text.splitlines()
    if len(rows) < _FEWEST_ROWS or not all(_NUMBER_IN.search(row) and row[-1:] not in ".,;:!?" for row in rows):
        return []
    return [f"{' '.join(first.split())}: {' '.join(row.split())}." for row in rows]


def _likeness(encoder: Encoder, question: str, candidates: Sequence[_Candidate]) -> Vectors:
    """Return the late interaction (https://arxiv.org/abs/2004.12832) of the question with each sentence, behind its title.

    On the scale of the model, 0 for sentences about something else to 1 for one that says the same.
    """
    titled = [f"{candidate.source.title[:_TITLE]}: {candidate.text}"[:_LONGEST] for candidate in candidates]
    (asked,) = encoder.token_vectors([question[:_LONGEST]], EmbedKind.QUERY)
    read = encoder.token_vectors(titled)
    unlike, alike = encoder.likeness_scale
    found = np.array([(asked @ vectors.T).max(axis=1).mean() for vectors in read], np.float32)
    scaled: Vectors = np.clip((found - unlike) / (alike - unlike), 0.0, 1.5)
    return scaled


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

    def context_shares(self) -> Vectors:
        """Return, for each sentence, the share of the words that it lacks and its context has."""
        return np.array([self._share(self._context(at) - held) for at, held in enumerate(self._held)], np.float32)

    def _context(self, at: int) -> Set[str]:
        source = self._candidates[at].source
        before = (i for i in range(max(0, at - _CONTEXT_SENTENCES), at) if self._candidates[i].source is source)
        return set().union(*(self._held[i] for i in before))

    def is_same_subject(self, best: int, other: int) -> bool:
        """Say whether `other` has the numbers of the question that `best` has, or stands in the same source.

        A row of a table is about its own cells, so it must have all the words that `best` has.
        """
        if self._candidates[other].row:
            return self._held[best] <= self._held[other]
        numbers = {word for word in self._held[best] if any(map(str.isdigit, word))}
        return self._candidates[other].rank == self._candidates[best].rank or numbers <= self._held[other]

    def complements(self, best: int) -> list[int]:
        """Return the sentences of the same source that have enough of the words that `best` lacks."""
        source, lacking = self._candidates[best].rank, self._rarity.keys() - self._held[best]
        return [
            index
            for index, held in enumerate(self._held)
            if self._candidates[index].rank == source and self._share(held & lacking) >= _COMPLEMENT
        ]

    def _share(self, held: Set[str]) -> float:
        return sum(self._rarity[word] for word in held) / self._total


class _OtherNumber:
    """Whether a sentence is about another thing of the same name: week 46 where the question is about week 45."""

    def __init__(self, question: str) -> None:
        self._asked = dict(_NAMED_NUMBER.findall(question.casefold()))

    def is_named(self, text: str) -> bool:
        named: dict[str, set[str]] = {}
        for name, number in _NAMED_NUMBER.findall(text.casefold()):
            named.setdefault(name, set()).add(number)
        return any(name in named and number not in named[name] for name, number in self._asked.items())


def digest(encoder: Encoder, text: str, count: int = _MAX_SENTENCES) -> str:
    """Return the `count` most central sentences of `text`, in the order in which they stand."""
    sentences = [sentence.text for sentence in split(text)] or [text.strip() or "."]
    if len(sentences) <= count:
        return " ".join(sentences)
    vectors = encoder.encode([sentence[:_LONGEST] for sentence in sentences], truncate=True)
    centrality = vectors @ vectors.mean(axis=0)
    return " ".join(sentences[index] for index in sorted(np.argsort(-centrality)[:count]))
