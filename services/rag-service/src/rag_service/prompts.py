"""The prompt of an answer from documents."""

from __future__ import annotations

from collections.abc import Sequence

from llm_providers.grounding import NO_ANSWER
from llm_providers.types import Message, Source
from rag_service.ranking import Passage
from service_kit.output_guard import marked

RULES = (
    "You answer questions from the user's documents. Use only the sources given. Put the label of the source behind each "
    f"claim, like this: [1]. Answer in the language of the question, briefly. If the sources do not hold the answer, reply "
    f"{NO_ANSWER} and nothing else."
)


def answer_prompt(question: str, history: Sequence[Message], passages: Sequence[Passage]) -> tuple[Message, ...]:
    """Return the messages of a question; the part that never changes comes first, so that prefix caching pays."""
    sources = tuple(
        Source(str(number), f"{passage.title}, page {passage.page}", passage.text)
        for number, passage in enumerate(passages, 1)
    )
    return (Message("system", marked(RULES)), *history, Message("user", question, sources=sources))
