"""Names of uploaded files, as they are shown."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

_LONGEST, _LONGEST_ENDING = 200, 20
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, but part of words in Persian and Indic scripts (https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters)."""


def shown(name: str) -> str:
    """Return the last part of a path of either kind, at most 200 characters of it, without any that are not seen or that turn others around.

    U+202E makes `fdp.exe` of `exe.pdf` (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    seen = "".join(c for c in last if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    return _cut(seen.strip()).strip() or "untitled"


def _cut(name: str) -> str:
    """Return the name within its longest, with its ending: parsers are chosen by that."""
    if len(name) <= _LONGEST:
        return name
    ending = PurePosixPath(name).suffix[-_LONGEST_ENDING:]
    return name[: _LONGEST - len(ending)] + ending
