"""The question as it is searched for: without its conversation, in the documents' language, and in other words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from llm_providers.base import LLMProvider
from llm_providers.completion import complete
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded, ProviderError
from llm_providers.types import ChatRequest, Message
from rag_service.keyword.analysis import language_of
from rag_service.ranking import Passage

log = structlog.get_logger(__name__)
_CONDENSE = (
    "Rewrite the last question so that it can be understood without the conversation. Keep its language. Reply with the "
    "question only."
)
_WORDINGS = (
    "Write {count} other ways to ask the last question, for a search in documents. Use other words for the same things, and "
    "keep names, numbers and codes as they are. Reply with one question a line and nothing else."
)
_TRANSLATION = "Write them in this language: {language}."
_CONDENSE_TOKENS, _WORDING_TOKENS = 128, 64
_LONGEST = 2000
_WORDING_SECONDS = 15
"""How long other wordings are waited for; without them the question is searched for as it is."""
_MARK = re.compile(r"^\s*+(?:[-*•]|\(?\d{1,2}[.):]|Q:)?+\s*+[\"“„']?")
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|that|this|those|these|there|then|ones?|hij|zij|ze|er|dat|die|hun|es|sie|ihr)\b|"
    r"^(?:and|or|but|why|en|und|aber)\b",
    re.IGNORECASE,
)
_NAMES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "hi": "Hindi", "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Rewrites questions with a model; one that only quotes its sources can't, and `joined_with_previous` serves instead."""

    chat: LLMProvider
    wordings: int

    async def standalone(
        self, request: ChatRequest, question: str, history: Sequence[Message], deadline: Deadline
    ) -> str:
        """Return the question so that it can be understood without `history`; `request` says how to route it."""
        messages = (Message("system", _CONDENSE), *history, Message("user", question))
        text = await self._written(request, messages, _CONDENSE_TOKENS, deadline)
        return " ".join(text.split())[:_LONGEST] or question

    async def worded(self, request: ChatRequest, question: str, language: str, deadline: Deadline) -> list[str]:
        """Return other wordings of a question, in `language` if it is not ""; none where the model is late or fails."""
        instruction = _WORDINGS.format(count=self.wordings)
        if language:
            instruction += " " + _TRANSLATION.format(language=_NAMES.get(language, language))
        messages = (Message("system", instruction), Message("user", question))
        soon = Deadline.after(min(_WORDING_SECONDS, deadline.remaining / 2))
        try:
            text = await self._written(request, messages, _WORDING_TOKENS * self.wordings, soon)
        except (ProviderError, DeadlineExceeded) as error:
            log.warning("search without other wordings", error=type(error).__name__)
            return []
        return list(_lines(text, question))[: self.wordings]

    async def _written(
        self, request: ChatRequest, messages: tuple[Message, ...], max_tokens: int, deadline: Deadline
    ) -> str:
        asked = ChatRequest(
            messages, max_tokens=max_tokens, temperature=0.0, affinity=request.affinity, backend=request.backend
        )
        return (await complete(self.chat, asked, deadline)).text


def joined_with_previous(question: str, previous: str) -> str:
    """Return a question that points back joined with the one before: for models that can't rewrite it."""
    return f"{previous} {question}" if _POINTS_BACK.search(question) else question


def documents_language(question: str, passages: Sequence[Passage]) -> str:
    """Return the language of what was found first, if the question is in another one; "" otherwise, or if either is unclear."""
    found = passages[0].language if passages else ""
    return found if found and language_of(question) not in ("", found) else ""


def _lines(text: str, question: str) -> Iterator[str]:
    """Yield the lines that say something, each once, without their bullets and numbers."""
    seen = {question.casefold()}
    for line in text.splitlines():
        wording = _MARK.sub("", line[:_LONGEST]).strip().rstrip("\"”“'")
        if any(map(str.isalnum, wording)) and wording.casefold() not in seen:
            seen.add(wording.casefold())
            yield wording
