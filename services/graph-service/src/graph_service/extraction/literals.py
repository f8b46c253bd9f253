"""Dates, amounts, codes, addresses of mail and of pages: values that look the same wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graph_service.extraction.base import Found
from service_kit.statements.codes import TOKEN, codes
from service_kit.statements.lexicon import MAGNITUDES, MONTHS_AND_DAYS, UNITS
from service_kit.statements.normalisation import normalised
from service_kit.statements.numbers import numbers_of, spelled

_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'()\[\]{}|\\]{3,2000}", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_WORD = re.compile(r"[^\W\d_]{2,20}")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_FIRST = re.compile(r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\b")
_DAY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|\.|e|de|ste)?\s{1,3}(?:of\s|de\s)?$")
_AFTER = re.compile(
    r"\.?,?\s{1,3}(?:(?P<year>\d{4})\b|(?P<day>\d{1,2})(?:st|nd|rd|th)?(?![\w:]|[.,]\d)(?:,?\s{1,3}(?P<its>\d{4})\b)?)"
)
_YEAR = re.compile(
    r"\b(?:in|since|until|till|from|before|after|by|year|sinds|tot|vanaf|voor|na|jaar|seit|bis|ab|vor|nach|Jahr)\s"
    r"((?:1[5-9]|20)\d\d)\b(?![-.,:/]\d)"
)
_AMOUNT = re.compile(
    r"(?<![\w.,])(?:(?P<currency>[€$£¥]|EUR|USD|GBP|CHF)\s?)?(?P<value>\d{1,15}(?:[.,'’]\d{1,15}){0,6})"
    r"(?:\s?(?P<unit>[%€$£¥]|°[CF]|[^\W\d_]{1,15}[²³]?)(?!\w))?(?:\s(?P<second>[^\W\d_]{1,15})(?!\w))?"
)
_NO_UNITS = frozenset({"in", "min", "mi", "d", "s", "t", "l", "a", "v", "w", "second", "mai"})
"""Words that follow a number and are units only now and then."""
_BEFORE = 14


def literals(text: str) -> list[Found]:
    """Return the values of a text in their order; none overlaps another."""
    taken: list[Found] = []
    for find in (_urls, _emails, _dates, _amounts, _codes):
        free = _Free(taken)
        taken = sorted([*taken, *(found for found in find(text) if free(found))], key=lambda found: found.start)
    return taken


class _Free:
    """Says whether a span overlaps none that are taken."""

    def __init__(self, taken: list[Found]) -> None:
        self._covered = {place for found in taken for place in range(found.start, found.end)}

    def __call__(self, found: Found) -> bool:
        if any(place in self._covered for place in range(found.start, found.end)):
            return False
        self._covered.update(range(found.start, found.end))
        return True


def _urls(text: str) -> Iterator[Found]:
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;:!?*_'’”")
        yield Found(match.start(), match.start() + len(url), "url", url.rstrip("/").lower())


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found(match.start(), match.end(), "email", match.group().lower())


def _dates(text: str) -> Iterator[Found]:
    for match in _ISO.finditer(text):
        yield from _date(match.start(), match.end(), match[1], match[2], match[3])
    for match in _DAY_FIRST.finditer(text):
        yield from _date(match.start(), match.end(), match[3], match[2], match[1])
    for word in _WORD.finditer(text):
        month = "m5" if word.group() == "May" else MONTHS_AND_DAYS.get(normalised(word.group()), "")
        if month.startswith("m"):
            yield from _around(text, word.start(), word.end(), month[1:])
    for match in _YEAR.finditer(text):
        yield Found(match.start(1), match.end(1), "date", match[1])


def _around(text: str, start: int, end: int, month: str) -> Iterator[Found]:
    """Yield the date whose month stands there, if a day or a year stands beside it."""
    before = max(0, start - _BEFORE)
    day = _DAY.search(text[before:start])
    after = _AFTER.match(text, end)
    year = (after["year"] or after["its"] if after else None) or ""
    if day is not None:
        if after is not None and after["day"]:
            after, year = None, ""
        yield from _date(before + day.start(), after.end() if after else end, year, month, day[1])
    elif after is not None:
        yield from _date(start, after.end(), year, month, after["day"] or "")


def _date(start: int, end: int, year: str, month: str, day: str) -> Iterator[Found]:
    """Yield a date if it is one, under a key like ISO 8601's: 2026-03-12, 2026-03, or --03-12 without a year."""
    if 1 <= int(month) <= 12 and (not day or 1 <= int(day) <= 31):
        parts = [year or "-", f"{int(month):02}", *([f"{int(day):02}"] if day else [])]
        yield Found(start, end, "date", "-".join(parts))


def _amounts(text: str) -> Iterator[Found]:
    for match in _AMOUNT.finditer(text):
        end = _end_of_amount(match)
        if end is None:
            continue
        written = text[match.start() : end]
        number = next(numbers_of(spelled(written)), None)
        if number is not None:
            unit = number.unit or normalised(match["currency"] or "")
            yield Found(match.start(), end, "amount", f"{number.value} {unit}".strip())


def _end_of_amount(match: re.Match[str]) -> int | None:
    """Return where an amount ends; None for a number without a unit."""
    unit, second = (normalised(match[name] or "") for name in ("unit", "second"))
    if unit in MAGNITUDES:
        return match.end("second") if second in UNITS and second not in _NO_UNITS else match.end("unit")
    if unit in UNITS and unit not in _NO_UNITS and match["currency"] is None:
        return match.end("unit")
    return match.end("value") if match["currency"] else None


def _codes(text: str) -> Iterator[Found]:
    for match in TOKEN.finditer(text):
        for key in codes(match.group()):
            yield Found(match.start(), match.end(), "code", key)
