"""What a sentence commits itself to: numbers with their units, dates, codes, names, and whether it denies something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rag_service.grounding.lexicon import MONTHS_AND_DAYS, NEGATIONS, NUMBER_WORDS, OPPOSITES, UNITS
from rag_service.keyword.analysis import codes
from rag_service.keyword.normalisation import normalised
from rag_service.keyword.stop_words import STOP_WORDS

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<currency>[€$£¥])?\s?(?P<value>\d+(?:[.,'’]\d+)*)(?P<unit>\s?(?:[%‰°€$£¥]\s?[CFcf]?\b|[^\W\d_]+[²³23]?))?"
)
_GROUP = re.compile(r"\d{1,3}(?:[.,'’]\d{3})+")
_CLAUSE_END = re.compile(
    r"[,;:.!?()–—]+\s|\b(?:and|but|or|und|aber|oder|sondern|en|maar|of|y|pero|et|mais)\b", re.IGNORECASE
)
_SENTENCE_START = re.compile(r"^\W*\w+")
_ALL_STOP_WORDS = frozenset().union(*STOP_WORDS.values())


@dataclass(frozen=True, slots=True)
class Number:
    """A value as digits with a decimal point, and its unit if it has a known one."""

    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What must stand in a source if a sentence is to be borne out by it; everything is normalised."""

    numbers: frozenset[Number]
    dates: frozenset[str]
    codes: frozenset[str]
    names: frozenset[str]
    words: frozenset[str]
    denied: tuple[frozenset[str], ...]
    """The words of each clause with a negation, without stop words."""

    def missing_numbers(self, source: Facts) -> set[Number]:
        """Return the numbers that `source` lacks, or has with another unit."""
        return {number for number in self.numbers if not any(_agree(number, other) for other in source.numbers)}

    def contradicts(self, source: Facts) -> bool:
        """Say whether one denies what the other says, or says the opposite."""
        if self._denies_alone(source) or source._denies_alone(self):
            return True
        return any(
            word in self.words and word not in source.words and opposite in source.words and opposite not in self.words
            for word, opposite in OPPOSITES
        )

    def _denies_alone(self, other: Facts) -> bool:
        """Say whether this denies something that `other` speaks of and does not deny."""
        return any(
            _overlap(clause, other.words) and not any(_alike(clause, theirs) for theirs in other.denied)
            for clause in self.denied
        )


@lru_cache(maxsize=4096)
def facts_of(text: str) -> Facts:
    """Read the facts of a sentence or a passage."""
    words = [_folded(match.group()) for match in _WORD.finditer(text)]
    in_digits = _WORD.sub(lambda match: NUMBER_WORDS.get(_folded(match.group()), match.group()), text)
    numbers = {_number(match) for match in _NUMBER.finditer(in_digits)}
    return Facts(
        numbers=frozenset(numbers),
        dates=frozenset(MONTHS_AND_DAYS[word] for word in words if word in MONTHS_AND_DAYS),
        codes=frozenset(codes(text)),
        names=frozenset(_names(text)),
        words=frozenset(words),
        denied=tuple(_denied(text)),
    )


def _overlap(clause: frozenset[str], words: frozenset[str]) -> bool:
    return len(clause & words) * 2 >= min(len(clause), len(words)) > 0


def _alike(clause: frozenset[str], other: frozenset[str]) -> bool:
    return len(clause & other) * 2 >= max(len(clause), len(other))


def _denied(text: str) -> Iterator[frozenset[str]]:
    for clause in _CLAUSE_END.split(text):
        words = [_folded(match.group()) for match in _WORD.finditer(clause)]
        negations = [word for word in words if word in NEGATIONS or word.endswith(("n't", "n’t"))]
        if len(negations) % 2:
            yield frozenset(words) - frozenset(negations) - _ALL_STOP_WORDS


def _folded(word: str) -> str:
    """Normalise a word, without the mark of a possessive."""
    return normalised(word.removesuffix("'s").removesuffix("’s"))


def _number(match: re.Match[str]) -> Number:
    value = match.group("value")
    unit = (match.group("unit") or match.group("currency") or "").replace(" ", "")
    if _GROUP.fullmatch(value) and not value.startswith("0"):
        value = re.sub(r"\D", "", value)
    elif "," in value and "." in value:
        decimal = max(value.rfind(","), value.rfind("."))
        value = re.sub(r"\D", "", value[:decimal]) + "." + value[decimal + 1 :]
    else:
        value = value.replace(",", ".").replace("'", "").replace("’", "")
    if value.count(".") == 1:
        value = value.rstrip("0").rstrip(".")
    return Number(value, UNITS.get(normalised(unit), UNITS.get(unit, "")))


def _agree(claimed: Number, found: Number) -> bool:
    return claimed.value == found.value and (not claimed.unit or not found.unit or claimed.unit == found.unit)


def _names(text: str) -> set[str]:
    """Return the capitalised words, without the sentence's first, which is capitalised anyway."""
    first = _SENTENCE_START.match(text)
    begin = first.end() if first else 0
    found = set()
    for match in _WORD.finditer(text):
        word = match.group()
        if match.start() >= begin and word[0].isupper():
            name = _folded(word)
            if (
                len(name) > 1
                and name not in _ALL_STOP_WORDS
                and name not in MONTHS_AND_DAYS
                and name not in NUMBER_WORDS
            ):
                found.add(name)
    return found
