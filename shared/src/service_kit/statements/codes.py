"""Words and codes of a text, in any script."""

from __future__ import annotations

import re
import unicodedata

from service_kit.statements.normalisation import normalised

# Scripts that are written without spaces (Thai, Lao, Khmer, Burmese, kana, Han), and Hangul, whose particles are glued on.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
TOKEN = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<word>[^\W_{_UNSPACED}]+(?:[-./:_+'’][^\W_{_UNSPACED}]+)*)", re.UNICODE
)
INNER = re.compile(r"[-./:_+'’]")
DIGIT = re.compile(r"\d")
_NO_CODE = re.compile(
    r"\d+(?:st|nd|rd|th|s|e|er|de|km|kg|m|mm|cm|g|mb|gb|kb|tb|h|am|pm|k|bn|kw|mw|v|w)?|"  # 19th, 1990s, 10km
    r"(?:\d+[-./:]){1,2}\d+",  # 12.50, 10:30, 1914-1918, 01.02.2026
    re.IGNORECASE,
)
_SHORTEST_CODE = 4
_MOST_LOWER_CASE = 2


def codes(text: str) -> set[str]:
    """Return the part numbers, versions and other codes in `text`, as terms of the index.

    A code has a digit, and capitals, two letters at the most, or separators: `AS-278`, `4410-2303/C`, `v2.0.0`. Plain numbers,
    amounts, times, dates and ordinals are none, nor are words with a number in them (`mid-1960s`, `2-delige`).
    """
    found = set()
    for match in TOKEN.finditer(unicodedata.normalize("NFKC", text)):
        word = match.group("word") or ""
        letters = "".join(filter(str.isalpha, word))
        joined = normalised(INNER.sub("", word))
        if (
            len(joined) >= _SHORTEST_CODE
            and DIGIT.search(word)
            and not _NO_CODE.fullmatch(word)
            and (letters.isupper() or len(letters) <= _MOST_LOWER_CASE)
        ):
            found.add(joined)
    return found
