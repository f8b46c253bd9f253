"""Whether what was found has to do with the question at all: nothing is asked of a model otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from rag_service.keyword.analysis import query_terms, terms
from rag_service.ranking import Passage, exact_terms

_LOOKED_AT = 6
_MISSING_NAMES = 0.05
"""What the least nearness grows by if no passage has a name of the question."""
_NAME = re.compile(r"(?<!^)(?<![.!?¿¡\"'“„«] )\b[A-Z][\w'’-]+")
_CAPITAL_NOUNS = ("de", "lb")
"""Languages in which a capital is no sign of a name."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """How near a passage is that answers a question, by the cosines of one embedding model (docs/performance.md).

    In the question's language it is the cosine, and `words` times the share of the question's words that it has, together
    `least`; in another one the cosine alone, `across`.
    """

    least: float
    words: float
    across: float


_SCALES = {
    "multilingual-e5-small": _Scale(0.825, 0.08, 0.785),
    "all-MiniLM-L6-v2": _Scale(0.17, 0.0, 0.17),
}


def is_relevant(question: str, language: str, ranked: Sequence[Passage], model: str) -> bool:
    """Say whether one of the first passages is near enough to a question in `language` to be worth an answer.

    One that holds a code or a quoted phrase of the question always is; by a model whose scale is unknown all are.
    """
    scale = _SCALES.get(model.rsplit("/", 1)[-1])
    near = [(passage, passage.cosine) for passage in ranked[:_LOOKED_AT] if passage.cosine is not None]
    if scale is None or not near:
        return bool(ranked)
    texts = [f"{passage.title}\n{passage.heading}\n{passage.text}" for passage, _ in near]
    least = scale.least + _MISSING_NAMES * _missing(_names(question, language), "\n".join(texts), "")

    def is_near(passage: Passage, cosine: float, text: str) -> bool:
        if language != passage.language:
            return cosine >= scale.across
        return cosine + scale.words * (1 - _missing(query_terms(question, [language]), text, language)) >= least

    return any(is_near(*each, text) for each, text in zip(near, texts, strict=True)) or any(
        exact_terms(question, ranked)
    )


def _names(question: str, language: str) -> Set[str]:
    names = () if language in _CAPITAL_NOUNS else _NAME.findall(question)
    return {term for name in names for term in terms(name, "")}


def _missing(wanted: Sequence[str] | Set[str], text: str, language: str) -> float:
    """Return the share of terms that `text` lacks, 0 of none."""
    return len(set(wanted) - set(terms(text, language))) / len(wanted) if wanted else 0.0
