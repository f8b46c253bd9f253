"""Text without the differences that a search should not see."""

from __future__ import annotations

import unicodedata

_VOICED_MARKS = "\u3099\u309a"
"""Marks that make another letter of a kana; all others are dropped."""


def normalised(text: str) -> str:
    """Fold case, compatibility forms and marks: é and e, ﬁ and fi, full width and half width are alike."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    kept = (c for c in decomposed if c in _VOICED_MARKS or not unicodedata.category(c).startswith("M"))
    return unicodedata.normalize("NFC", "".join(kept))
