"""Names of uploaded files, as they are shown."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

_LONGEST = 200
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, but part of words in Persian and Indic scripts (https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters)."""


def shown(name: str) -> str:
    """Return the last part of a path of either kind, without characters that are not seen or that turn others around.

    U+202E makes `fdp.exe` of `exe.pdf` (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    seen = "".join(c for c in last if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    return seen.strip()[:_LONGEST] or "untitled"
