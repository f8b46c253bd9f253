"""The quality of answers, compared with known answers and with each other."""

from __future__ import annotations

import asyncio
import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from switchyard.compare.answer import Answer
from switchyard.compare.load import Level
from switchyard.compare.questions import ComparedQuestion

_WORD = re.compile(r"\S+\s*")
_EMBED_SECONDS = 300
_TOKEN = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """One question's two answers."""

    question: ComparedQuestion
    a: Answer
    b: Answer
    likeness: float
    """F1 of their tokens."""
    citation_overlap: float | None
    """Shared (document, page) of all; None where neither cites."""
    cosine: float | None = None


def pairs(questions: Sequence[ComparedQuestion], levels: Sequence[Level], a: str, b: str) -> list[Pair]:
    """Put each question's first whole answers side by side."""
    first: dict[str, dict[int, Answer]] = {a: {}, b: {}}
    for level in levels:
        for answer in level.answers:
            if answer.ok:
                first[level.backend].setdefault(answer.question, answer)
    both = sorted(set(first[a]) & set(first[b]))
    return [_pair(questions[number], first[a][number], first[b][number]) for number in both]


def quality(backend: str, answers: Sequence[tuple[ComparedQuestion, Answer]]) -> dict[str, Any] | None:
    """Score a backend's answers for the report, as shares of them; None where it gave none.

    `holds_gold` and `gold_f1` are of the `known` ones, whose right answer is known; None where there are none.
    """
    if not answers:
        return None
    known = [(question, answer) for question, answer in answers if question.gold]
    return {
        "backend": backend,
        "answers": len(answers),
        "answered": mean(answer.answered for _, answer in answers),
        "cites": mean(bool(answer.citations) for _, answer in answers),
        "citations": mean(len(answer.citations) for _, answer in answers),
        "cut_short": mean(answer.finish_reason == "length" for _, answer in answers),
        "degraded": mean(bool(answer.degraded) for _, answer in answers),
        "known": len(known),
        "holds_gold": mean(any(contains(answer.text, gold) for gold in question.gold) for question, answer in known),
        "gold_f1": mean(max(f1(answer.text, gold) for gold in question.gold) for question, answer in known),
    }


def tokens(text: str) -> tuple[str, ...]:
    """Return case-folded words and numbers, with compatibility forms unified."""
    return tuple(_TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()))


def f1(one: str, other: str) -> float:
    """Return the harmonic mean of precision and recall of shared tokens; 1 for two texts without any.

    https://arxiv.org/abs/1606.05250, section 6.1.
    """
    first, second = Counter(tokens(one)), Counter(tokens(other))
    if not first and not second:
        return 1.0
    return 2 * (first & second).total() / (first.total() + second.total())


def word_diff(a: str, b: str) -> list[tuple[bool, str, str]]:
    """Return pieces in reading order: whether they are the same, and the words of each; case is ignored."""
    left, right = _WORD.findall(a), _WORD.findall(b)
    first, second = ([word.strip().casefold() for word in words] for words in (left, right))
    opcodes = difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes()
    return [(kind == "equal", "".join(left[i:j]), "".join(right[k:m])) for kind, i, j, k, m in opcodes]


def _pair(question: ComparedQuestion, a: Answer, b: Answer) -> Pair:
    first, second = ({place[:2] for place in answer.citations} for answer in (a, b))
    overlap = len(first & second) / len(first | second) if first | second else None
    return Pair(question, a, b, f1(a.text, b.text), overlap)


def contains(text: str, gold: str) -> bool:
    """Return whether the tokens of `gold` are in `text`, one after the other."""
    return f" {' '.join(tokens(gold))} " in f" {' '.join(tokens(text))} "


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def with_cosines(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with the cosine of their answers' embeddings, if the embedded model is available."""
    if not pairs:
        return []
    # Imported only now: they take long, and the benchmarks score without embeddings.
    from llm_providers.backends.embedded import EmbeddedProvider
    from llm_providers.deadline import Deadline
    from llm_providers.errors import ProviderError
    from llm_providers.types import EmbedKind

    texts = [text for pair in pairs for text in (pair.a.text, pair.b.text)]

    async def embed() -> list[float]:
        provider = EmbeddedProvider.open()
        try:
            vectors = await provider.embed(texts, EmbedKind.DOCUMENT, Deadline.after(_EMBED_SECONDS))
        finally:
            await provider.aclose()
        return [float(vectors[each] @ vectors[each + 1]) for each in range(0, len(texts), 2)]

    try:
        cosines = asyncio.run(embed())
    except ProviderError:
        return list(pairs)
    return [replace(pair, cosine=cosine) for pair, cosine in zip(pairs, cosines, strict=True)]
