"""What a sentence commits itself to: numbers with their units, dates, codes, names, and whether it denies something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from service_kit.statements.codes import codes
from service_kit.statements.lexicon import (
    ASKING,
    CHATTER,
    DAYS_OF_MONTH,
    FINDING,
    GENERIC,
    MAGNITUDES,
    MONTHS_AND_DAYS,
    NEGATIONS,
    NUMBER_WORDS,
    OPPOSITES,
    RESTRICTIONS,
    SOURCE_WORDS,
    UNABLE,
    UNITS,
)
from service_kit.statements.normalisation import normalised
from service_kit.statements.numbers import Number, numbers_of, spelled, units_of
from service_kit.statements.stop_words import STOP_WORDS

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_TERM = re.compile(r"\w+")
_SHORTEST_STEM = 4
_LONGEST_ENDING = 3
_CLAUSE_END = re.compile(
    r"(?<![,;:.!?()–—])[,;:.!?()–—]++\s|\b(?:and|but|or|und|aber|oder|sondern|en|maar|of|y|pero|et|mais)\b",
    re.IGNORECASE,
)
_LONGEST_REFUSAL = 160
_SENTENCE_START = re.compile(r"^\W*\w+")
_FACT_WORDS = MONTHS_AND_DAYS.keys() | NUMBER_WORDS.keys() | UNITS.keys() | MAGNITUDES.keys()
ALL_STOP_WORDS = frozenset().union(*STOP_WORDS.values())


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What must stand in a source if a sentence is to be borne out by it; everything is normalised."""

    numbers: frozenset[Number]
    units: frozenset[str]
    dates: frozenset[str]
    codes: frozenset[str]
    names: frozenset[str]
    words: frozenset[str]
    denied: tuple[frozenset[str], ...]
    """The words of each clause with a negation, without stop words."""
    days: frozenset[Number] = frozenset()
    """Numbers that are said as "the fifteenth": what is written as 15 agrees with them."""

    def missing_numbers(self, said: StatedFacts, named: StatedFacts) -> set[Number]:
        """Return the numbers that neither `said` nor `named` has, or only with another unit."""
        units = said.units | named.units
        there = said.numbers | named.numbers | said.days | named.days
        return {number for number in self.numbers if not any(number.agrees(other, units) for other in there)}

    def contradicts(self, source: StatedFacts) -> bool:
        """Say whether one denies what the other says, or says the opposite, or this allows less: "only"."""
        if self._denies_alone(source) or source._denies_alone(self):
            return True
        if self.words & RESTRICTIONS and not source.words & RESTRICTIONS:
            return True
        return any(
            word in self.words and word not in source.words and opposite in source.words and opposite not in self.words
            for word, opposite in OPPOSITES
        )

    def _denies_alone(self, other: StatedFacts) -> bool:
        """Say whether this denies something that `other` speaks of and does not deny."""
        return any(
            _overlap(clause, other.words) and not any(_alike(clause, theirs) for theirs in other.denied)
            for clause in self.denied
        )


@lru_cache(maxsize=1024)
def facts_of(text: str) -> StatedFacts:
    """Read the facts of a sentence or a passage."""
    text = spelled(text)
    words = [folded(match.group()) for match in _WORD.finditer(text)]
    return StatedFacts(
        numbers=frozenset(numbers_of(text)),
        units=units_of(text),
        dates=frozenset(MONTHS_AND_DAYS[word] for word in words if word in MONTHS_AND_DAYS),
        codes=frozenset(codes(text)),
        names=frozenset(_names(text)),
        words=frozenset(words),
        denied=tuple(_denied(text)),
        days=frozenset(Number(DAYS_OF_MONTH[word]) for word in words if word in DAYS_OF_MONTH),
    )


def is_chatter(text: str) -> bool:
    """Say whether a sentence only greets, offers help, or introduces what follows."""
    facts = facts_of(text)
    return not facts.numbers and not facts.codes and facts.words <= CHATTER


def is_refusal(text: str) -> bool:
    """Say whether a sentence only says that the documents hold no answer, or that the model knows none."""
    facts = facts_of(text)
    if facts.numbers or facts.codes or len(text) > _LONGEST_REFUSAL:
        return False
    denies = facts.words & (NEGATIONS | UNABLE) or any(word.endswith(("n't", "n’t")) for word in facts.words)
    return bool(denies and facts.words & SOURCE_WORDS and facts.words & (FINDING | UNABLE))


def is_echo(sentence: str, question: str) -> bool:
    """Say whether a sentence only says again what a question of who, what, when, where or how wants to know.

    To a question of yes or no that may be the answer.
    """
    asked, said = (frozenset(_TERM.findall(normalised(text))) for text in (question, sentence))
    if not asked & ASKING:
        return False
    return all(any(_same_stem(word, other) for other in asked) for word in said - asked - ALL_STOP_WORDS - GENERIC)


def _same_stem(word: str, other: str) -> bool:
    """Say whether two words differ in their endings alone: "causes" and "caused"."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    return shared >= _SHORTEST_STEM and max(len(word), len(other)) - shared <= _LONGEST_ENDING


def _overlap(clause: frozenset[str], words: frozenset[str]) -> bool:
    return len(clause & words) * 2 >= min(len(clause), len(words)) > 0


def _alike(clause: frozenset[str], other: frozenset[str]) -> bool:
    return len(clause & other) * 2 >= max(len(clause), len(other))


def _denied(text: str) -> Iterator[frozenset[str]]:
    for clause in _CLAUSE_END.split(text):
        words = [folded(match.group()) for match in _WORD.finditer(clause)]
        negations = [word for word in words if word in NEGATIONS or word.endswith(("n't", "n’t"))]
        if len(negations) % 2:
            # "Das hat nicht, unter anderem, …": what is denied stands in another clause.
            yield _content(words, negations) or _content(
                (folded(match.group()) for match in _WORD.finditer(text)), negations
            )


def _content(words: Iterable[str], negations: Iterable[str]) -> frozenset[str]:
    return frozenset(words) - frozenset(negations) - ALL_STOP_WORDS


def folded(word: str) -> str:
    """Normalise a word, without the mark of a possessive."""
    return normalised(word.removesuffix("'s").removesuffix("’s"))


def _names(text: str) -> set[str]:
    """Return the capitalised words, without the sentence's first, which is capitalised anyway."""
    first = _SENTENCE_START.match(text)
    begin = first.end() if first else 0
    found = set()
    for match in _WORD.finditer(text):
        word = match.group()
        if match.start() >= begin and word[0].isupper():
            name = folded(word)
            is_other = name in ALL_STOP_WORDS and not (word.isupper() and len(word) > 1)
            if len(name) > 1 and not is_other and name not in _FACT_WORDS:
                found.add(name)
    return found
