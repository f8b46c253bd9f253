"""Two sentences laid side by side: whether one has another fact in the place of the other's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rapidfuzz.distance import LCSseq

from service_kit.statements.facts import folded
from service_kit.statements.lexicon import MAGNITUDES, MONTHS_AND_DAYS, NUMBER_WORDS, ORDINALS
from service_kit.statements.normalisation import normalised
from service_kit.statements.numbers import multiplied, spelled, value_of

_TOKEN = re.compile(r"\d+(?:[.,:'’]\d+)*|[^\W_]+(?:['’/-][^\W_]+)*")
_ALIKE = 0.6
"""Least share of a sentence's words, in their order, by which the places of its facts can be told."""
_SAME_BUILD = 0.85
_LONGER = 3
"""Words by which what was replaced may be longer: more is left out, not replaced."""
_MOST_TOKENS = 200
_KINDS = ("number", "date", "name")


def exchanged(claim: str, source: str, names: frozenset[str]) -> bool:
    """Say whether `claim` is `source` with a number, date, name or code exchanged, even for another one of the same text.

    `names` are the capitalised words of the passage; only they count as names at the beginning of a sentence.
    """
    ours, theirs = _tokens(claim), _tokens(source)
    if not ours or not theirs or max(len(ours), len(theirs)) > _MOST_TOKENS:
        return False
    if _in_other_order(ours, theirs):
        return True
    words, others = [word for word, _ in ours], [word for word, _ in theirs]
    if LCSseq.similarity(words, others) < _ALIKE * len(words):
        return False
    for mine, replaced in _replacements(words, others):
        if not 0 < len(replaced) <= len(mine) + _LONGER:
            continue
        for kind in _KINDS:
            said = {word for word, its in ours[mine.start : mine.stop] if its == kind}
            there = {word for word, its in theirs[replaced.start : replaced.stop] if its == kind}
            # The first word of a sentence is capitalised, whatever it is.
            said = said & names if kind == "name" and mine.start == 0 else said
            if said - there and there - said:
                return True
    return False


def _in_other_order(ours: Sequence[tuple[str, str]], theirs: Sequence[tuple[str, str]]) -> bool:
    """Say whether two sentences of the same build have their facts in another order: from 5 to 8, from 8 to 5."""
    builds = [[kind or word for word, kind in tokens] for tokens in (ours, theirs)]
    if LCSseq.normalized_similarity(*builds) < _SAME_BUILD:
        return False
    for kind in _KINDS:
        said, there = ([word for word, its in tokens if its == kind] for tokens in (ours, theirs))
        if said != there and sorted(said) == sorted(there):
            return True
    return False


def _replacements(words: Sequence[str], others: Sequence[str]) -> Iterator[tuple[range, range]]:
    """Yield what stands between the words that both have in common, in order."""
    begin = (0, 0)
    for block in [*LCSseq.opcodes(words, others), None]:
        if block is not None and block.tag != "equal":
            continue
        end = (block.src_start, block.dest_start) if block else (len(words), len(others))
        if end[0] > begin[0]:
            yield range(begin[0], end[0]), range(begin[1], end[1])
        begin = (block.src_end, block.dest_end) if block else end


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[tuple[str, str], ...]:
    """Return the words in one form, each with the kind of fact that it is."""
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(spelled(text)):
        factor = MAGNITUDES.get(normalised(match.group()))
        if factor and found and found[-1][1] == "number":
            found[-1] = multiplied(found[-1][0], factor), "number"
        else:
            found.append(_token(match.group()))
    return tuple(found)


def _token(word: str) -> tuple[str, str]:
    if word[0].isdecimal() and not any(map(str.isalpha, word)):
        return value_of(word), "number"
    plain = folded(word)
    if (number := NUMBER_WORDS.get(plain) or ORDINALS.get(plain)) is not None:
        return number, "number"
    if (date := MONTHS_AND_DAYS.get(plain)) is not None:
        return date, "date"
    return plain, "name" if word[0].isupper() or any(map(str.isdigit, word)) else ""
