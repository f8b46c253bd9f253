"""Whether a question asks for a calculation over a table, and which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from rag_service.aggregation import lexicon
from rag_service.aggregation.lexicon import KINDS, SUPERLATIVES, Operation
from rag_service.aggregation.table import number_in
from service_kit.statements.normalisation import normalised


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")


_OPERATIONS: tuple[tuple[Operation, re.Pattern[str]], ...] = (
    ("average", _words(lexicon.AVERAGE)),
    ("sum", _words(lexicon.SUM)),
    ("max", _words(lexicon.MAX)),
    ("min", _words(lexicon.MIN)),
    ("count", _words(lexicon.COUNT)),
)
_SUPERLATIVES = tuple((_words(pattern), *meant) for pattern, meant in SUPERLATIVES.items())
_COUNT, _WHICH, _HOW_MUCH = _words(lexicon.COUNT), _words(lexicon.WHICH), _words(lexicon.HOW_MUCH)
_NUMBER = r"\s+(?P<number>[€$£]?\s?\d[\d.,']*)(?P<unit>\s?(?:%|°c?|[€$£]|[a-z]+[²³23]?))?"
_ABOVE, _BELOW, _INCLUSIVE = (
    re.compile(rf"(?<!\w)(?:{lexicon.ABOVE}){_NUMBER}"),
    re.compile(rf"(?<!\w)(?:{lexicon.BELOW}){_NUMBER}"),
    re.compile(lexicon.INCLUSIVE),
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What the number of a row has to be: above or below `number`, or equal to it where `inclusive`."""

    number: Decimal
    above: bool
    inclusive: bool

    def holds(self, value: Decimal) -> bool:
        return (self.inclusive and value == self.number) or (value > self.number if self.above else value < self.number)


@dataclass(frozen=True, slots=True)
class AggregateQuestion:
    """An operation; `rest` are the question's other words, `kinds` the keys of `KINDS` that the compared column may be.

    `counted` is the noun behind "how many".
    """

    operation: Operation
    rest: str
    kinds: frozenset[str]
    bound: Bound | None = None
    counted: str = ""


def parse(question: str) -> AggregateQuestion | None:
    """Return what a question asks of a table, if it is about one: a calculation, or one cell; None for other questions."""
    text = normalised(question)
    bound, text, unit = _bound(text)
    kinds = {kind for kind, words in KINDS.items() if words & {*re.findall(r"[\w€²]+", text), unit}}
    for pattern, operation, kind in _SUPERLATIVES:
        if pattern.search(text):
            # "The largest order" may be one of weight too: what the question says itself comes first.
            return AggregateQuestion(operation, pattern.sub(" ", text), frozenset(kinds or {kind}), bound)
    for operation, pattern in _OPERATIONS:
        if (match := pattern.search(text)) is None:
            continue
        if operation in ("max", "min") and not (_WHICH.search(text) or _COUNT.search(text)):
            continue
        rest = _COUNT.sub(" ", pattern.sub(" ", text))
        counted = text[match.end() :] if operation == "count" else ""
        return AggregateQuestion(operation, rest, frozenset(kinds), bound, counted)
    if bound is not None and _WHICH.search(text):
        return AggregateQuestion("filter", text, frozenset(kinds), bound)
    if _WHICH.search(text) or _HOW_MUCH.search(text):
        return AggregateQuestion("lookup", _HOW_MUCH.sub(" ", text), frozenset(kinds), bound)
    return None


def _bound(text: str) -> tuple[Bound | None, str, str]:
    """Return the bound that a question names, the question without it, and its unit."""
    for above, pattern in ((True, _ABOVE), (False, _BELOW)):
        match = pattern.search(text)
        if match is not None and (number := number_in(match["number"])) is not None:
            bound = Bound(number, above, _INCLUSIVE.search(match.group()) is not None)
            unit = (match["unit"] or "").strip()
            priced = " price" if re.search(r"cost|expensive|cheap|[€$£]", match.group()) else ""
            return bound, f"{text[: match.start()]} {priced} {text[match.end() :]}", unit
    return None, text, ""
