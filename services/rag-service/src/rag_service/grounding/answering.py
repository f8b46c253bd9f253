"""Whether a sentence that the documents bear out answers the question, and does not only speak of its subject."""

from __future__ import annotations

from functools import lru_cache

from rag_service.keyword.analysis import language_of, terms
from service_kit.statements.facts import ALL_STOP_WORDS, is_echo, is_refusal
from service_kit.statements.lexicon import ASKING, GENERIC

_NEW = 2 / 3
"""Least share of what a sentence adds to the question that must stand in the quoted words."""
_ASKED = 1 / 3
"""Least share of the question that must stand there too (docs/performance.md has what both were measured by)."""
_FEW = 2


def answers(said: str, question: str, quote: str, language: str) -> bool:
    """Say whether a supported sentence answers; `quote` are the words that bear it out and their title, in `language`.

    Not what only repeats the question, refuses, or introduces a list. What it adds, and part of what was asked, must stand in one
    place: a weak model joins the question to any true sentence. In another language than the quote its words can't be compared.
    """
    if is_refusal(said) or is_echo(said, question) or said.rstrip().endswith((":", ",")):
        return False
    if language and language_of(said) not in ("", language):
        return True
    held, asked = frozenset(terms(quote, language)), _content(question, language)
    new = _content(said, language) - asked
    if _share(new, held) < _NEW:
        return False
    # One word may well be put in another way, and so is all that is asked in another language.
    is_foreign = bool(language) and language_of(question) not in ("", language)
    return len(asked) < _FEW or is_foreign or _share(asked, held) >= _ASKED


def _share(words: frozenset[str], held: frozenset[str]) -> float:
    return len(words & held) / len(words) if words else 1.0


@lru_cache(maxsize=256)
def _content(text: str, language: str) -> frozenset[str]:
    return frozenset(terms(text, language)) - _filling(language)


@lru_cache(maxsize=64)
def _filling(language: str) -> frozenset[str]:
    return frozenset(terms(" ".join((*ALL_STOP_WORDS, *ASKING, *GENERIC)), language))
