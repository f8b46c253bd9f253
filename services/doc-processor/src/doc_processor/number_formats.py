"""Numbers as a spreadsheet shows them, by their number format (ECMA-376 part 1, 18.8.30 and 18.8.31).

Which separators a program uses is the reader's locale, not the file's: they are English ones unless the format names a
locale, or has the euro sign behind the number, where hardly anybody writes English ones.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

GENERAL = "General"
_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"?)|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]{0,200})\]
    |(?P<general>General)|(?P<ampm>AM/PM|A/P)|(?P<exponent>E[+-])|(?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+|[eE](?![+-])|b+|g+)
    |(?P<digit>[0#?])|(?P<sign>[.,%/@])|(?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_CONDITION = re.compile(r"\s*(<=|>=|<>|<|>|=)\s*(-?\d{1,20}(?:\.\d{0,20})?)\s*")
_CURRENCY = re.compile(r"\$([^-]{0,20})(?:-([0-9A-Fa-f]{1,8}))?(?:,.*)?")
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_LOCALE_DATES = {"mm-dd-yy": "yyyy-mm-dd", "m/d/yy": "yyyy-mm-dd", "m/d/yy h:mm": "yyyy-mm-dd h:mm"}
"""The built-in formats that show dates as the reader's locale has them."""
# The primary language of a locale, its lower ten bits (MS-LCID): those that write a decimal comma.
_COMMA = {
    0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x0A, 0x0B, 0x0C, 0x0E, 0x10, 0x13, 0x14, 0x15, 0x16, 0x18, 0x19, 0x1A, 0x1B,
    0x1D, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x2D,
}  # fmt: skip
_POINT_LOCALES = {0x0807: "’", 0x100C: "’", 0x0810: "’", 0x080A: ","}
"""Switzerland and Mexico, and what groups digits there."""
_SPACED = {0x05, 0x0B, 0x0C, 0x0E, 0x14, 0x15, 0x19, 0x1B, 0x1D, 0x22, 0x25, 0x26, 0x27}
"""Those that group digits by spaces."""
_MONTHS = {
    0x07: "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    0x0C: "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    0x0A: "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    0x10: "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    0x13: "januari februari maart april mei juni juli augustus september oktober november december",
    0x09: "January February March April May June July August September October November December",
}
_DAYS = {
    0x07: "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    0x0C: "lundi mardi mercredi jeudi vendredi samedi dimanche",
    0x0A: "lunes martes miércoles jueves viernes sábado domingo",
    0x10: "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    0x13: "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    0x09: "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of a format; `kind` is one of literal, digit, sign, date, elapsed, ampm, exponent, general."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[_Token, ...]
    condition: tuple[str, Decimal] | None
    locale: int

    def has(self, kind: str, text: str = "") -> bool:
        return any(token.kind == kind and (not text or token.text == text) for token in self.tokens)

    @property
    def is_date(self) -> bool:
        return self.has("date") or self.has("elapsed")


def is_date(code: str) -> bool:
    """Whether a format shows dates or times."""
    return any(section.is_date for section in _sections(code)[:2])


def shows_nothing(code: str) -> bool:
    """Whether a format hides whatever is in the cell, as `;;;` does."""
    sections = _sections(code)
    return len(sections) >= 3 and not any(section.tokens for section in sections)


def shown_text(text: str, code: str) -> str:
    """Return a text as its cell shows it: by the section for texts, where there is one."""
    sections = _sections(code)
    with_text = next((section for section in sections if section.has("sign", "@")), None)
    section = sections[3] if len(sections) > 3 else with_text
    if section is None:
        return text
    return "".join(
        text if token == _Token("sign", "@") else token.text for token in section.tokens if token.kind != "general"
    )


def shown(value: float, code: str, *, since_1904: bool = False) -> str:
    """Return a number as its cell shows it; what a format cannot show comes as the number itself."""
    if not math.isfinite(value):
        return str(value)
    sections = _sections(code)
    try:
        section, number = _chosen(sections, Decimal(repr(value)))
        if section is None or section.has("general") or (not section.tokens and code.strip() in ("", GENERAL)):
            return _around(section, general(value))
        if section.has("sign", "@"):
            return _around(section, general(value))
        if section.is_date:
            return _date(value, section, since_1904)
        return _number(number, section)
    except (InvalidOperation, OverflowError, ValueError, IndexError):
        return general(value)


def general(value: float) -> str:
    """Return a number as the format General shows it in a wide cell: with eleven digits at most."""
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    if 1e-5 <= abs(value) < 1e15:
        text = f"{value:.{max(0, 14 - max(0, math.floor(math.log10(abs(value)))))}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{value:.5E}".partition("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"


@lru_cache(maxsize=4096)
def _sections(code: str) -> tuple[_Section, ...]:
    code = _LOCALE_DATES.get(code, code)[:1000]
    sections: list[_Section] = []
    tokens: list[_Token] = []
    condition, locale = None, 0
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "other" and text == ";":
            sections.append(_Section(tuple(tokens), condition, locale))
            tokens, condition, locale = [], None, 0
        elif kind == "bracket":
            inside = match["bracket"]
            if found := _CONDITION.fullmatch(inside):
                condition = (found[1], Decimal(found[2]))
            elif found := _CURRENCY.fullmatch(inside):
                tokens += [_Token("literal", found[1])] if found[1] else []
                locale = int(found[2] or "0", 16) & 0xFFFF
            elif _ELAPSED.fullmatch(inside):
                tokens.append(_Token("elapsed", inside.lower()))
        elif kind in ("quoted", "escaped", "space", "fill", "other"):
            literal = {"quoted": text.strip('"'), "escaped": match["escaped"], "space": " ", "fill": "", "other": text}[
                kind
            ]
            tokens.append(_Token("literal", literal or ""))
        else:
            tokens.append(
                _Token(kind, text.upper() if kind in ("ampm", "exponent") else text.lower() if kind == "date" else text)
            )
    return (*sections, _Section(tuple(tokens), condition, locale))


def _chosen(sections: tuple[_Section, ...], number: Decimal) -> tuple[_Section | None, Decimal]:
    """Return the section for a number, and the number as that shows it: without its sign, where the section has one."""
    numeric = [section for section in sections if not section.has("sign", "@")][:3] or list(sections[:1])
    if any(section.condition for section in numeric):
        for section in numeric:
            if section.condition is None or _holds(number, *section.condition):
                implied = (
                    section.condition is not None and section.condition[0] in ("<", "<=") and section.condition[1] <= 0
                )
                return section, abs(number) if implied and number < 0 else number
        return None, number
    if number < 0 and len(numeric) > 1:
        return numeric[1], -number
    if number == 0 and len(numeric) > 2:
        return numeric[2], number
    return numeric[0], number


def _holds(number: Decimal, operator: str, limit: Decimal) -> bool:
    return {
        "<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit, "=": number == limit,
        "<>": number != limit,
    }[operator]  # fmt: skip


def _around(section: _Section | None, text: str) -> str:
    if section is None or not section.tokens:
        return text
    is_place = [token.kind == "general" or token == _Token("sign", "@") for token in section.tokens]
    return "".join(text if place else token.text for token, place in zip(section.tokens, is_place, strict=True)).strip()


def _separators(section: _Section) -> tuple[str, str]:
    """Return what groups digits, and the decimal mark."""
    if section.locale in _POINT_LOCALES:
        return _POINT_LOCALES[section.locale], "."
    language = section.locale & 0x3FF
    if language in _COMMA:
        return "\u00a0" if language in _SPACED else ".", ","
    digits = [place for place, token in enumerate(section.tokens) if token.kind == "digit"]
    behind = section.tokens[digits[-1] :] if digits else ()
    return (".", ",") if language == 0 and any("€" in token.text for token in behind) else (",", ".")


def _number(number: Decimal, section: _Section) -> str:
    tokens = section.tokens
    places = [at for at, token in enumerate(tokens) if token.kind == "digit"]
    if not places:
        sign = "-" if number < 0 else ""
        return (sign + "".join(token.text for token in tokens if token != _Token("sign", ","))).strip()
    first, last = places[0], places[-1]
    while last + 1 < len(tokens) and tokens[last + 1] == _Token("sign", ","):
        last += 1
        number /= 1000
    slash = next((at for at in range(first, len(tokens)) if tokens[at] == _Token("sign", "/")), None)
    while slash is not None and last + 1 < len(tokens) and (last < slash or tokens[last + 1].text.isdigit()):
        last += 1
    number *= Decimal(100) ** sum(token == _Token("sign", "%") for token in tokens)
    core = tokens[first : last + 1]
    body = _fraction(number, core) if _Token("sign", "/") in core else _decimal(number, core, _separators(section))
    before = "".join(token.text for token in tokens[:first])
    after = "".join(token.text for token in tokens[last + 1 :])
    zero = not any(character in "123456789" for character in body)
    return f"{'-' if number < 0 and not zero else ''}{before}{body}{after}".strip()


def _decimal(number: Decimal, core: tuple[_Token, ...], separators: tuple[str, str]) -> str:
    group, mark = separators
    exponent = next((at for at, token in enumerate(core) if token.kind == "exponent"), None)
    power = ""
    mantissa = core
    if exponent is not None:
        mantissa = core[:exponent]
        wide = sum(token.kind == "digit" for token in core[exponent:])
    point = next((at for at, token in enumerate(mantissa) if token == _Token("sign", ".")), len(mantissa))
    whole, part = mantissa[:point], mantissa[point + 1 :]
    decimals = min(_MOST_DIGITS, sum(token.kind == "digit" for token in part))
    number = abs(number)
    if exponent is not None:
        step = max(1, sum(token.kind == "digit" for token in whole))
        ten = 0 if number == 0 else math.floor(number.adjusted() / step) * step if step > 1 else number.adjusted()
        number = number.scaleb(-ten)
        if _rounded(number, decimals) >= Decimal(10) ** step:
            number, ten = number.scaleb(-step), ten + step
        sign = "-" if ten < 0 else "+" if core[exponent].text == "E+" else ""
        power = f"E{sign}{abs(ten):0{wide}}"
    text = f"{_rounded(number, decimals):f}"
    digits, _, rest = text.partition(".")
    filled = "" if digits == "0" else digits
    shown_rest = _trimmed(rest, [token.text for token in part if token.kind == "digit"])
    literal_rest = "".join(token.text for token in part if token.kind == "literal")
    written = _placed(filled, whole, group)
    return f"{written}{mark + shown_rest if shown_rest or (point < len(mantissa) and not part) else ''}{literal_rest}{power}"


def _rounded(number: Decimal, decimals: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _placed(digits: str, whole: tuple[_Token, ...], group: str) -> str:
    """Put the digits before the decimal mark into their places, from the right; what is left stands in the first."""
    grouped = _Token("sign", ",") in whole
    places = [token for token in whole if token != _Token("sign", ",")]
    out: list[str] = []
    left, count = digits, 0
    firsts = [at for at, token in enumerate(places) if token.kind == "digit"]

    def put(digit: str) -> None:
        nonlocal count
        if grouped and count and count % 3 == 0:
            out.append(group)
        out.append(digit)
        count += 1

    for at in range(len(places) - 1, -1, -1):
        token = places[at]
        if token.kind != "digit":
            out.append(token.text[::-1])
            continue
        if left:
            put(left[-1])
            left = left[:-1]
        elif token.text == "0":
            put("0")
        elif token.text == "?":
            out.append(" ")
        while firsts and at == firsts[0] and left:
            put(left[-1])
            left = left[:-1]
    return "".join(out)[::-1]


def _trimmed(rest: str, places: list[str]) -> str:
    """Leave out the zeros at the end that `#` does not show."""
    end = len(rest)
    while end and rest[end - 1] == "0" and places[end - 1] == "#":
        end -= 1
    return rest[:end]


def _fraction(number: Decimal, core: tuple[_Token, ...]) -> str:
    slash = core.index(_Token("sign", "/"))
    below = core[slash + 1 :]
    fixed = "".join(token.text for token in below if token.kind in ("literal", "digit")).strip()
    value = Fraction(abs(number))
    whole_places = [token for token in core[:slash] if token.kind == "literal" and not token.text.strip()]
    whole = int(value) if whole_places else 0
    value -= whole
    if fixed.isdigit() and int(fixed) > 0:
        below_line = int(fixed[:6])
        above = int(value * below_line + Fraction(1, 2))
    else:
        wide = sum(token.kind == "digit" for token in below)
        near = value.limit_denominator(10 ** min(wide, 6) - 1)
        above, below_line = near.numerator, near.denominator
    if above == below_line and whole_places:
        whole, above = whole + 1, 0
    if above == 0 and (whole_places or number == 0):
        return str(whole)
    return f"{whole} {above}/{below_line}" if whole else f"{above}/{below_line}"


def _date(value: float, section: _Section, since_1904: bool) -> str:
    if value < 0 and not section.has("elapsed"):
        return general(value)
    tokens = section.tokens
    decimals = _second_decimals(tokens)
    ticks = math.floor(abs(value) * 86_400 * 10**decimals + 0.5 + 1e-6)
    seconds, part = divmod(ticks, 10**decimals)
    days, within = divmod(seconds, 86_400)
    moment = _day(days, since_1904)
    hour, minute, second = within // 3600, within // 60 % 60, within % 60
    half = section.has("ampm")
    language = section.locale & 0x3FF
    out: list[str] = ["-"] if value < 0 else []
    skip = 0
    for at, token in enumerate(tokens):
        if skip:
            skip -= 1
        elif token.kind == "elapsed":
            total = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}[token.text[0]]
            out.append(f"{total:0{len(token.text)}}")
        elif token.kind == "ampm":
            names = token.text.split("/")
            out.append(names[hour >= 12])
        elif token.kind == "date":
            letter, wide = token.text[0], len(token.text)
            if letter == "m" and _is_minute(tokens, at):
                out.append(f"{minute:0{min(wide, 2)}}")
            elif letter == "h":
                out.append(f"{(hour % 12 or 12) if half else hour:0{min(wide, 2)}}")
            elif letter == "s":
                out.append(f"{second:0{min(wide, 2)}}")
            else:
                out.append(_of_day(moment, letter, wide, language))
        elif token == _Token("sign", ".") and decimals and tokens[at + 1 : at + 2] and tokens[at + 1].kind == "digit":
            out.append(f".{part:0{decimals}}")
            skip = decimals
        elif token.kind in ("literal", "sign", "digit"):
            out.append(token.text)
    return "".join(out).strip()


def _second_decimals(tokens: tuple[_Token, ...]) -> int:
    for at, token in enumerate(tokens):
        if token == _Token("sign", ".") and at and tokens[at - 1].text.strip("s") == "":
            count = 0
            while at + 1 + count < len(tokens) and tokens[at + 1 + count] == _Token("digit", "0"):
                count += 1
            return min(count, 6)
    return 0


def _is_minute(tokens: tuple[_Token, ...], at: int) -> bool:
    """Whether an `m` stands behind hours or before seconds."""
    if len(tokens[at].text) > 2:
        return False
    timed = [token for token in tokens[:at] if token.kind in ("date", "elapsed")]
    after = [token for token in tokens[at + 1 :] if token.kind in ("date", "elapsed")]
    return bool((timed and timed[-1].text[0] == "h") or (after and after[0].text[0] == "s"))


def _day(days: int, since_1904: bool) -> dt.date:
    """Return the day of a serial number; the 1900 system has a 29 February 1900 that never was."""
    if since_1904:
        return dt.date(1904, 1, 1) + dt.timedelta(days)
    return dt.date(1899, 12, 31 if days < 60 else 30) + dt.timedelta(days)


def _of_day(day: dt.date, letter: str, wide: int, language: int) -> str:
    if letter in "ye":
        return f"{day.year % 100:02}" if wide <= 2 and letter == "y" else str(day.year)
    if letter == "m":
        name = _MONTHS.get(language, _MONTHS[0x09]).split()[day.month - 1]
        short = f"{day.month:0{min(wide, 2)}}"
        return {1: short, 2: short, 3: name[:3], 4: name}.get(wide, name[:1])
    if letter == "d":
        name = _DAYS.get(language, _DAYS[0x09]).split()[day.weekday()]
        short = f"{day.day:0{min(wide, 2)}}"
        return {1: short, 2: short, 3: name[: 3 if language in (0, 0x09) else 2]}.get(wide, name)
    return ""
