"""As many passages as the model's context has room for."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded, ProviderError
from llm_providers.tokens import estimate_tokens
from llm_providers.types import Message, ModelInfo
from rag_service.prompts import RULES, answer_prompt
from rag_service.ranking import Passage

log = structlog.get_logger(__name__)
_SLACK_TOKENS = 256
"""Left free where tokens are estimated."""
_TOKENS_PER_SOURCE = 32
_NEAR = 0.6
"""Share of the budget up to which an estimate needs no counting."""
_OPTIMISM = 1.4
"""How much more than the budget the estimate may be before the count: it is often too high."""
_COUNT_SECONDS = 5
_MOST_COUNTS = 5


async def fitting(
    passages: Sequence[Passage],
    info: ModelInfo,
    max_tokens: int,
    question: str,
    history: Sequence[Message],
    deadline: Deadline,
) -> list[Passage]:
    """Return the best passages that fit the context beside rules, question, history and an answer of `max_tokens`.

    Counted by the model's own tokenizer where the server offers it and the estimate is near the limit; else estimated.
    """
    budget = info.context_tokens - max_tokens
    estimated = _estimated(passages, budget - _SLACK_TOKENS, question, history)
    if (
        info.count_tokens is None
        or not passages
        or _estimated(passages, int(budget * _NEAR), question, history) == passages
    ):
        return estimated
    soon = Deadline.after(min(_COUNT_SECONDS, deadline.remaining))
    fit = _estimated(passages, int(budget * _OPTIMISM), question, history)
    try:
        for _ in range(_MOST_COUNTS):
            if not fit or (tokens := await info.count_tokens(answer_prompt(question, history, fit), soon)) <= budget:
                return fit
            fit = fit[: min(len(fit) - 1, len(fit) * budget // tokens)]
    except (ProviderError, DeadlineExceeded) as error:
        log.debug("tokens are estimated", error=type(error).__name__)
    return estimated


def _estimated(passages: Sequence[Passage], budget: int, question: str, history: Sequence[Message]) -> list[Passage]:
    left = budget - estimate_tokens(RULES + question) - sum(estimate_tokens(message.content) for message in history)
    fit = []
    for passage in passages:
        left -= estimate_tokens(passage.text) + _TOKENS_PER_SOURCE
        if left < 0:
            break
        fit.append(passage)
    return fit
