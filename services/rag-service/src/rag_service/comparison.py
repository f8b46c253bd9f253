"""Questions that compare: each side is searched for by itself, or the better known one fills all places."""

from __future__ import annotations

import re

_LONGEST = 400
"""Characters of the part of a question that names what is compared."""
_PATTERNS = tuple(
    (re.compile(rf"\b(?:{words})\s", re.IGNORECASE), re.compile(rf"\s(?:{between})\s", re.IGNORECASE))
    for words, between in (
        ("compare", "and|with|to|against"),
        (r"differences?\s+between", "and"),
        ("vergelijk", "en|met"),
        (r"verschil(?:len)?\s+tussen", "en"),
        ("vergleiche?", "und|mit"),
        (r"unterschiede?\s+zwischen", "und"),
        ("compara", "y|con"),
        (r"diferencias?\s+entre", "y"),
        ("comparez?", "et|avec|à"),
        (r"différences?\s+entre", "et"),
    )
)


def sides(question: str) -> tuple[str, ...]:
    """Return the two things that a question compares; () for any other question."""
    for words, between in _PATTERNS:
        if (asked := words.search(question)) is None:
            continue
        compared = question[asked.end() : asked.end() + _LONGEST]
        if (middle := between.search(compared)) is not None:
            found = (compared[: middle.start()].strip(), compared[middle.end() :].strip(" ?.!\n"))
            return found if all(found) else ()
    return ()
