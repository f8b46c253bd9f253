"""Finds what makes a pattern slow, by looking at it: repetitions that can share the same text in more than one way.

Three shapes, as in Davis and others, "The impact of regular expression denial of service in practice" (2018): a
repetition within a repetition that begins with the same characters; two repetitions beside each other, with nothing
between them that must be there and differs; and one that can hold what leads to it, so that a search begins anew
within it, again and again. Possessive repetitions and atomic groups give nothing back, so that only the last concerns them.
This is a lint: it knows nothing of what a pattern is used for, and the measurement beside it is the proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as codes
from re import _parser as parser
from typing import Any

from patterns.discovery import Found
from patterns.hostile import _written

_LONG = 250
"""Repetitions that end sooner cost a constant factor."""
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_ALPHABET = [chr(code) for code in range(0x180)] + [*"\u2019\u2013\u3002\u4e2d\ufffd\u0e01"]
Characters = frozenset[str]


def findings(found: Found) -> list[str]:
    """Return what is ambiguous in a pattern; empty if nothing is."""
    tree = parser.parse(found.pattern.pattern, found.pattern.flags)
    multiline = bool(found.pattern.flags & re.MULTILINE)
    adjacent: list[str] = []
    _adjacent(tree, [], adjacent)
    return list(
        dict.fromkeys([*_nested(tree), *adjacent, *([] if found.anchored else _restarting(tree, multiline, [], True))])
    )


def _nested(tree: Any) -> Iterator[str]:
    for code, argument in tree:
        for inner in _inner(code, argument):
            yield from _nested(inner)
        if code in _REPEATS[:2] and argument[1] > _LONG:
            needed = [_first([item]) for item in argument[2] if not _empty([item])]
            within = [chars for item in argument[2] for chars in _open([item])]
            if any(chars and all(chars & each for each in needed) for chars in within):
                yield "a repetition repeats another one, which can go on with what begins the next round"


def _adjacent(tree: Any, open_: list[Characters], found: list[str]) -> list[Characters]:
    """Add to `found`, and return what may still be given back behind the part; `open_` is that before it."""
    for code, argument in tree:
        if code in (codes.ASSERT, codes.ASSERT_NOT, codes.AT):
            for part in _inner(code, argument):
                _adjacent(part, [], found)
            continue
        before, one = open_, [(code, argument)]
        if code in _REPEATS and argument[1] > _LONG:
            repeated = _all(argument[2])
            if any(chars & repeated for chars in before):
                found.append("two repetitions stand beside each other, and can share the same characters")
            open_ = [] if code in _CLOSED else [repeated]
        elif code is codes.ATOMIC_GROUP:
            open_ = []
        elif inner := _inner(code, argument):
            open_ = [chars for part in inner for chars in _adjacent(part, before, found)]
        else:
            open_ = []
        # What must be there, and is none of the repeated characters, ends a repetition for good.
        open_ += [chars for chars in before if _empty(one) or (chars & _first(one) and _fixed(one))]
    return open_


def _restarting(
    tree: Any, multiline: bool, before: list[Characters], ends: bool, whole_words: bool = False
) -> Iterator[str]:
    """Whether a repetition can hold what leads to it, so that a search begins anew within it.

    `before` is what must be there before the part, `ends` whether nothing must be there after it, and
    `whole_words` whether the pattern begins where a word does, so that it cannot begin anew within the same word.
    """
    items = list(tree)
    for at, (code, argument) in enumerate(items):
        if code is codes.AT and argument in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING) and not before:
            if not multiline or argument is codes.AT_BEGINNING_STRING:
                return
            before = [frozenset("\n")]
            continue
        if code in (codes.ASSERT, codes.ASSERT_NOT, codes.AT):
            whole_words |= argument is codes.AT_BOUNDARY and not before
            if not before and code is not codes.AT:
                return  # such as one that says that the repetition has not begun before
            continue
        after = items[at + 1 :]
        done = ends and _empty(after)
        if code in (codes.SUBPATTERN, codes.BRANCH, codes.ATOMIC_GROUP):
            for inner in _inner(code, argument):
                yield from _restarting(inner, multiline, before, done, whole_words)
        elif code in _REPEATS and argument[1] > _LONG and not done:
            repeated = _all(argument[2])
            same = len(after) == 1 and [_first(after)] == before
            within_word = whole_words and all(each.isalnum() or each == "_" for each in repeated)
            if all(repeated & each for each in before) and repeated and not same and not within_word:
                yield "a search begins anew within a repetition, which can hold whatever leads to it"
        if not _empty([(code, argument)]):
            before = [*before, _first([(code, argument)])]


_CLOSED = (codes.POSSESSIVE_REPEAT, codes.ATOMIC_GROUP)


def _inner(code: Any, argument: Any) -> list[Any]:
    if code in _REPEATS:
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


def _first(tree: Any) -> Characters:
    """The characters that a part can begin with."""
    found: Characters = frozenset()
    for code, argument in tree:
        inner = _inner(code, argument)
        if code not in (codes.ASSERT, codes.ASSERT_NOT):
            found |= frozenset().union(*map(_first, inner)) if inner else _class(code, argument)
        if not _empty([(code, argument)]):
            break
    return found


def _open(tree: Any) -> list[Characters]:
    """What the long repetitions repeat that are in a part, and may give something back."""
    found: list[Characters] = []
    for code, argument in tree:
        if code in _REPEATS and code not in _CLOSED and argument[1] > _LONG:
            found.append(_all(argument[2]))
        elif code not in (*_CLOSED, codes.ASSERT, codes.ASSERT_NOT):
            for inner in _inner(code, argument):
                found += _open(inner)
    return found


def _long(tree: Any) -> list[Characters]:
    """What the long repetitions repeat that a part can begin with."""
    found: list[Characters] = []
    for code, argument in tree:
        if code is codes.ASSERT_NOT:
            break  # such as one that says that the repetition has not begun before
        if code in _REPEATS and argument[1] > _LONG:
            found.append(_all(argument[2]))
        elif code not in (codes.ASSERT, codes.ASSERT_NOT):
            for inner in _inner(code, argument):
                found += _long(inner)
        if not _empty([(code, argument)]):
            break
    return found


def _all(tree: Any) -> Characters:
    """The characters that a part can consist of, if it is one character long; what longer parts repeat is left to `_nested`."""
    return _first(tree) if _fixed(tree) else frozenset()


def _fixed(tree: Any) -> bool:
    """Whether a part is one character, whichever."""
    if len(tree) != 1:
        return False
    code, argument = tree[0]
    inner = _inner(code, argument)
    return all(map(_fixed, inner)) if inner and code not in _REPEATS else not inner


def _empty(tree: Any) -> bool:
    return all(
        code in (codes.ASSERT, codes.ASSERT_NOT, codes.AT)
        or (code in _REPEATS and (argument[0] == 0 or _empty(argument[2])))
        or (code is codes.SUBPATTERN and _empty(argument[3]))
        or (code is codes.ATOMIC_GROUP and _empty(argument))
        or (code is codes.BRANCH and any(map(_empty, argument[1])))
        for code, argument in tree
    )


def _class(code: Any, argument: Any) -> Characters:
    if code is codes.LITERAL:
        return frozenset({chr(argument)})
    if code is codes.NOT_LITERAL:
        return frozenset(_ALPHABET) - {chr(argument)}
    if code is codes.ANY:
        return frozenset(_ALPHABET) - {"\n"}
    if code is codes.IN:
        fits = re.compile("".join(["[", *map(_written, argument), "]"]))
        literals = [chr(each) for kind, each in argument if kind is codes.LITERAL]
        return frozenset(character for character in (*_ALPHABET, *literals) if fits.match(character))
    return frozenset()
