"""Texts made to be slow: what a pattern repeats, repeated, behind what leads there, and with an end that does not fit."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from itertools import islice, product
from math import ceil
from re import _constants as codes
from re import _parser as parser
from typing import Any

_SAMPLES = string.ascii_letters + string.digits + string.punctuation + " \t\n\r\f\0\u00e9\u2019\u201d\u3002\u4e2d\ufffd"
_TAILS = ("", "\0", "x", "\n", "!")
_FEW = 4
_MOST = 400


def texts(pattern: re.Pattern[Any], size: int) -> list[str]:
    """Return texts of about `size` characters that a slow pattern takes long to match, or not to match."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    units = dict.fromkeys([("", character) for character in _characters(tree)])
    whole = [text for text in islice(_of(tree), _FEW) if text]
    units |= dict.fromkeys(("", text) for text in whole)
    units |= dict.fromkeys(("", text[:-1]) for text in whole if len(text) > 1)
    for before, body in _repeated(tree, [""]):
        units |= dict.fromkeys([(before, body), ("", before + body), ("", body + before)])
    made = {
        before + unit * max(1, (size - len(before)) // len(unit)) + tail
        for before, unit in units
        if unit
        for tail in _TAILS
    }
    ordered = sorted(made)
    return ordered[:: ceil(len(ordered) / _MOST)]


def _characters(tree: Any) -> Iterable[str]:
    """One of every kind of character that the pattern tells apart, and the usual ones."""
    found = {" ", "\n", "\t", "a", "A", "0", ".", "_", "-"}
    for code, argument in _nodes(tree):
        if code is codes.LITERAL:
            found.add(chr(argument))
        elif code is codes.IN:
            found.update(islice(_in(argument), _FEW))
    return sorted(found)


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    for code, argument in tree:
        yield code, argument
        for inner in _inner(code, argument):
            yield from _nodes(inner)


def _inner(code: Any, argument: Any) -> list[Any]:
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        return [argument[2]]
    if code is codes.SUBPATTERN:
        return [argument[3]]
    if code is codes.ATOMIC_GROUP:
        return [argument]
    if code is codes.BRANCH:
        return list(argument[1])
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return [argument[1]]
    return []


def _repeated(tree: Any, before: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (what leads to a repetition, one round of it) for all that may go on for long."""
    for code, argument in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT) and argument[1] > 20:
            yield from product(before, islice(_of(argument[2]), _FEW))
        for inner in _inner(code, argument):
            yield from _repeated(inner, before)
        if code not in (codes.ASSERT, codes.ASSERT_NOT):
            before = list(dict.fromkeys(a + b for a, b in product(before, islice(_of([(code, argument)]), 2))))[:_FEW]


def _of(tree: Any) -> Iterator[str]:
    """Yield some texts that a part of a pattern matches; assertions are taken to hold."""
    choices = [list(islice(_one(code, argument), _FEW)) or [""] for code, argument in tree]
    yield "".join(options[0] for options in choices)
    for at in range(1, _FEW):
        yield "".join(options[at % len(options)] for options in choices)


def _one(code: Any, argument: Any) -> Iterator[str]:
    if code is codes.LITERAL:
        yield chr(argument)
    elif code is codes.NOT_LITERAL:
        yield from (each for each in " a\n0" if ord(each) != argument)
    elif code is codes.ANY:
        yield from "a 0<"
    elif code is codes.IN:
        yield from _in(argument)
    elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, _, body = argument
        yield from (text * max(1, min(least, 40)) for text in _of(body))
    elif code is codes.BRANCH:
        for branch in argument[1]:
            yield next(_of(branch))
    elif code not in (codes.ASSERT, codes.ASSERT_NOT):
        for inner in _inner(code, argument):
            yield from _of(inner)


def _in(items: Any) -> Iterator[str]:
    """Yield characters of a class, of different kinds first."""
    fits = re.compile("".join(["[", *map(_written, items), "]"]))
    some = [character for character in _SAMPLES if fits.match(character)]
    some += [chr(argument) for code, argument in items if code is codes.LITERAL]
    some += [chr(argument[0]) for code, argument in items if code is codes.RANGE]
    kinds = {
        ("space" if c.isspace() else "digit" if c.isdigit() else "word" if c.isalnum() else "other"): c for c in some
    }
    yield from kinds.values()
    yield from some


def _written(item: tuple[Any, Any]) -> str:
    code, argument = item
    if code is codes.NEGATE:
        return "^"
    if code is codes.LITERAL:
        return re.escape(chr(argument))
    if code is codes.RANGE:
        return f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
    names = {
        codes.CATEGORY_DIGIT: r"\d", codes.CATEGORY_NOT_DIGIT: r"\D", codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S", codes.CATEGORY_WORD: r"\w", codes.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    return names[argument]
