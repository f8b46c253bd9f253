"""Numbers, times and dates as they are written in several languages, brought into one form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from service_kit.statements.lexicon import MAGNITUDES, MONEY_MAGNITUDES, NUMBER_WORDS, UNITS
from service_kit.statements.normalisation import normalised

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>(?<!\S)[-−])?(?P<currency>[€$£¥])?\s?(?P<value>\d+(?:[.,'’]\d+)*)"
    r"(?P<unit>\s?(?:[%‰°€$£¥]\s?(?:[CFcf]\b)?|[^\W\d_]+[²³23]?))?(?P<second>\.?\s[^\W\d_]+[²³]?)?"
)
_GROUP = re.compile(r"\d{1,3}(?:[.,'’]\d{3})+")
_YEAR_FIRST = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_MAY = re.compile(r"(?<=\d\s)May\b|\bMay(?=\s\d)")
_OF_THE_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d\d))?\s?([ap])\.?m\b\.?", re.IGNORECASE)
_MONEY = re.compile(r"([€$£¥]\s?\d[\d.,]*+)\s?(k|m|bn?)\b", re.IGNORECASE)
_EARLY = re.compile(r"\b0(\d[:.]\d\d)\b")
_PER_CENT = re.compile(r"\bper[ -]cent\b|\bpor ciento\b|\bpour cent\b", re.IGNORECASE)
_MONTHS = "januari februari maart april mei juni juli augustus september oktober november december".split()
_LONGEST = 24
"""Digits of what can be multiplied by a magnitude."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value as digits with a decimal point, and its unit if it has a known one."""

    value: str
    unit: str = ""

    def agrees(self, other: Number, units: frozenset[str]) -> bool:
        """Say whether `other` is the same; where it has no unit of its own, `units` stand around it, as in a table's header."""
        if self.value != other.value or not self.unit:
            return self.value == other.value
        return self.unit == other.unit if other.unit else self.unit in units


def spelled(text: str) -> str:
    """Write dates with the name of their month, times of the clock from 0:00 to 23:59, and magnitudes in words."""
    text = _YEAR_FIRST.sub(lambda match: _date(match[3], match[2], match[1]) or match[0], text)
    text = _DAY_FIRST.sub(lambda match: _date(match[1], match[2], match[3]) or match[0], text)
    text = _OF_THE_CLOCK.sub(_time, _EARLY.sub(r"\1", _MAY.sub("mei", text)))
    text = _MONEY.sub(lambda match: f"{match[1]} {MONEY_MAGNITUDES[match[2].lower()]}", text)
    return _PER_CENT.sub("percent", text)


def numbers_of(text: str) -> Iterator[Number]:
    """Yield the numbers of a text that `spelled` has been over."""
    for match in _NUMBER.finditer(_in_digits(text)):
        yield _number(match)


def units_of(text: str) -> frozenset[str]:
    """Return the units that a text names by a word or a sign, beside numbers or not."""
    found = {UNITS.get(normalised(word)) for word in _WORD.findall(text) if len(word) > 1}
    return frozenset(unit for unit in (*found, *(UNITS.get(sign) for sign in "%€$£¥" if sign in text)) if unit)


def value_of(digits: str) -> str:
    """Return a number as digits with a decimal point, whichever way it is written."""
    if _GROUP.fullmatch(digits) and not digits.startswith("0"):
        return re.sub(r"\D", "", digits)
    if "," in digits and "." in digits:
        decimal = max(digits.rfind(","), digits.rfind("."))
        digits = re.sub(r"\D", "", digits[:decimal]) + "." + digits[decimal + 1 :]
    else:
        digits = digits.replace(",", ".").replace("'", "").replace("’", "")
    return digits.rstrip("0").rstrip(".") if digits.count(".") == 1 else digits


def multiplied(value: str, factor: int) -> str:
    """Return a value, as `value_of` returns it, times a magnitude; unchanged if it is too long to be an amount."""
    if value.count(".") > 1 or len(value) > _LONGEST:
        return value
    return value_of(f"{Decimal(value) * factor:f}") if "." in value else str(int(value) * factor)


def _in_digits(text: str) -> str:
    """Write number words as digits; a magnitude behind a number stays one: two hundred is 2 hundred."""

    def number(match: re.Match[str]) -> str:
        word = normalised(match.group())
        return match.group() if word in MAGNITUDES else NUMBER_WORDS.get(word, match.group())

    def magnitude(match: re.Match[str]) -> str:
        word = normalised(match.group())
        follows = match.string[max(0, match.start() - 2) : match.start()].rstrip(" -")[-1:].isdigit()
        return match.group() if follows else NUMBER_WORDS.get(word, match.group())

    return _WORD.sub(magnitude, _WORD.sub(number, text))


def _number(match: re.Match[str]) -> Number:
    value = value_of(match["value"])
    first, second = (normalised((match[name] or "").strip(" .\t\n")).replace(" ", "") for name in ("unit", "second"))
    if factor := MAGNITUDES.get(first):
        value, first = multiplied(value, factor), second
    unit = UNITS.get(match["currency"] or "") or UNITS.get(first, "")
    return Number(("-" if match["sign"] else "") + value, unit)


def _date(day: str, month: str, year: str) -> str | None:
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}" if 1 <= int(month) <= 12 else None


def _time(match: re.Match[str]) -> str:
    hour = int(match[1]) % 12 + (12 if match[3] in "pP" else 0)
    return f"{hour}:{match[2] or '00'}" if int(match[1]) <= 12 else match[0]
