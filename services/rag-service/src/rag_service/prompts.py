"""The prompts of an answer from documents, within the token budget of the model."""

from __future__ import annotations

from collections.abc import Sequence

from llm_providers.grounding import NO_ANSWER
from llm_providers.tokens import estimate_tokens
from llm_providers.types import Message, Source
from rag_service.ranking import Passage

_RULES = (
    "You answer questions from the user's documents. Use only the sources given. Put the label of the source behind each "
    f"claim, like this: [1]. Answer in the language of the question, briefly. If the sources do not hold the answer, reply "
    f"{NO_ANSWER} and nothing else."
)
_SLACK_TOKENS = 256
_TOKENS_PER_SOURCE = 32


def answer_prompt(question: str, history: Sequence[Message], passages: Sequence[Passage]) -> tuple[Message, ...]:
    """Return the messages of a question; the part that never changes comes first, so that prefix caching pays."""
    sources = tuple(
        Source(str(number), f"{passage.title}, page {passage.page}", passage.text)
        for number, passage in enumerate(passages, 1)
    )
    return (Message("system", _RULES), *history, Message("user", question, sources=sources))


def fitting(passages: Sequence[Passage], budget: int, question: str, history: Sequence[Message]) -> list[Passage]:
    """Return as many of the best passages as `budget` tokens have room for, beside rules, question and history."""
    left = budget - _SLACK_TOKENS - estimate_tokens(_RULES + question)
    left -= sum(estimate_tokens(message.content) for message in history)
    fit = []
    for passage in passages:
        left -= estimate_tokens(passage.text) + _TOKENS_PER_SOURCE
        if left < 0:
            break
        fit.append(passage)
    return fit
