"""The use case of a question: remember, condense, retrieve, prompt, stream, check the citations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import perf_counter

from llm_providers.base import LLMProvider
from llm_providers.completion import complete
from llm_providers.deadline import Deadline
from llm_providers.types import ChatRequest, Message, ModelInfo, Started
from rag_service.aggregation import TableAnswers
from rag_service.answers import AnswerDraft, Answered, AnswerEvent, Sources
from rag_service.compaction import compacted
from rag_service.conversations import Conversations
from rag_service.prompts import answer_prompt, condense_prompt, fitting, joined_with_previous
from rag_service.retrieval import Retriever
from rag_service.tables import GroundingMode
from service_kit.auth import Principal
from service_kit.errors import InvalidInput

_CONDENSE_TOKENS = 128
_MOST_CONDENSED = 2000
_DEFAULTS = ChatRequest(())


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection; `history` is the conversation so far, where the caller keeps it itself.

    `grounding` is what becomes of sentences that no passage supports; the service's setting if None. `affinity` keeps
    a conversation on one side of a canary, `backend` asks for one engine and no other. `options` says how to generate; its
    messages, length and routing are of no effect.
    """

    text: str
    collection: str
    history: tuple[Message, ...] = ()
    conversation_id: str | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    affinity: str = ""
    backend: str | None = None
    grounding: GroundingMode | None = None
    options: ChatRequest = _DEFAULTS


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers questions, for every endpoint and media type."""

    chat: LLMProvider
    retriever: Retriever
    tables: TableAnswers
    conversations: Conversations
    top_k: int
    max_tokens: int
    grounding: GroundingMode
    vision: LLMProvider | None = None

    async def conversation(self, question: Question, remember: bool, principal: Principal) -> Question:
        """Return the question within its conversation: one that it names, or a new one if `remember`.

        Raises `NotFound` and `Conflict` for a conversation that is not the caller's or is about another collection.
        """
        if question.conversation_id is None:
            if not remember:
                return question
            begun = await self.conversations.begin(question.collection, principal)
            return replace(question, conversation_id=begun.id, affinity=begun.id)
        history = await self.conversations.history(question.conversation_id, question.collection, principal)
        return replace(question, history=history, affinity=question.conversation_id)

    async def ask(self, question: Question, deadline: Deadline) -> AsyncGenerator[AnswerEvent, None]:
        """Yield `Sources`, any number of `Token` and `Thought`, each `GroundedSentence`, one `Answered`.

        Raises what providers and retrieval raise.
        A `Failover` in between says that another backend continues; one that restarted makes the tokens so far void.
        The answer is remembered before its end is yielded.
        """
        started = perf_counter()
        info = await self.chat.info(deadline)
        draft = AnswerDraft(info, question.grounding or self.grounding)
        standalone = await self._condense(info, question, deadline)
        condensed = draft.lap("condense", started)
        found = await self.retriever.search(question.collection, standalone, question.top_k or self.top_k, deadline)
        limit = question.max_tokens or self.max_tokens
        passages = fitting(compacted(found.passages), info.context_tokens - limit, question.text, question.history)
        draft.degraded, draft.reasons = found.degraded, found.reasons
        if not info.context_known:
            words = f"{info.backend} does not tell its context length: {info.context_tokens} tokens are assumed"
            draft.reasons = (*draft.reasons, words)
        draft.seconds |= found.seconds
        draft.lap("retrieval", condensed)
        if (calculated := await self.tables.answer(standalone, found.passages)) is not None:
            yield Sources(calculated.passages, found.degraded, standalone, question.conversation_id)
            if (token := draft.calculate(calculated)) is not None:
                yield token
            for sentence in draft.checked():
                yield sentence
            yield await self._remembered(question, draft.answer(question.conversation_id))
            return
        yield Sources(passages, found.degraded, standalone, question.conversation_id)
        draft.read(passages, standalone)
        if not passages or not found.relevant:
            if (notice := draft.not_found()) is not None:
                yield notice
            yield await self._remembered(question, draft.answer(question.conversation_id))
            return
        text = standalone if info.extractive else question.text
        request = self._request(question, answer_prompt(text, question.history, passages), limit)
        async for event in self._generate(request, deadline, draft):
            yield event
        begun = perf_counter()
        rest = draft.conclude()
        draft.lap("grounding", begun)
        if rest is not None:
            yield rest
        for sentence in draft.checked():
            yield sentence
        yield await self._remembered(question, draft.answer(question.conversation_id))

    async def converse(self, question: Question, deadline: Deadline) -> AsyncGenerator[AnswerEvent, None]:
        """Let the model answer its messages without any documents; yields and raises what `ask` does.

        Messages with images go to the vision model; raises `InvalidInput` where none is served.
        """
        chat = self.chat
        if any(message.images for message in question.history):
            if self.vision is None:
                raise InvalidInput("no vision model is served here, and the messages have images", field="messages")
            chat = self.vision
        yield Sources([], (), "")
        draft = AnswerDraft(None)
        request = self._request(question, question.history, question.max_tokens or self.max_tokens)
        async for event in self._generate(request, deadline, draft, chat):
            yield event
        yield draft.answer()

    def _request(self, question: Question, messages: Sequence[Message], max_tokens: int) -> ChatRequest:
        return replace(
            question.options,
            messages=tuple(messages),
            max_tokens=max_tokens,
            affinity=question.affinity,
            backend=question.backend,
        )

    async def _generate(
        self, request: ChatRequest, deadline: Deadline, draft: AnswerDraft, chat: LLMProvider | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        begun = perf_counter()
        async with aclosing((chat or self.chat).chat(request, deadline)) as events:
            async for event in events:
                if isinstance(event, Started):
                    draft.lap("first_token", begun)
                if (shown := draft.add(event)) is not None:
                    yield shown
                for sentence in draft.checked():
                    yield sentence
                if draft.repeats:
                    break
        draft.lap("generation", begun)

    async def _condense(self, info: ModelInfo, question: Question, deadline: Deadline) -> str:
        previous = [message.content for message in question.history if message.role == "user"]
        if not previous:
            return question.text
        if info.extractive:
            return joined_with_previous(question.text, previous[-1])
        plain = replace(question, options=_DEFAULTS)
        request = self._request(plain, condense_prompt(question.text, question.history), _CONDENSE_TOKENS)
        rewritten = (await complete(self.chat, replace(request, temperature=0.0), deadline)).text
        return " ".join(rewritten.split())[:_MOST_CONDENSED] or question.text

    async def _remembered(self, question: Question, answer: Answered) -> Answered:
        if question.conversation_id is not None:
            citations = [citation.model_dump() for citation in answer.citations]
            await self.conversations.remember(question.conversation_id, question.text, answer.text, citations)
        return answer
