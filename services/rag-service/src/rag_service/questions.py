"""The use case of a question: remember, condense, retrieve, prompt, stream, check the citations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import perf_counter

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.types import ChatRequest, Message, ModelInfo, Started, Token
from rag_service import summaries
from rag_service.aggregation import TableAnswers
from rag_service.answers import AnswerDraft, Answered, AnswerEvent, Sources
from rag_service.budget import fitting
from rag_service.compaction import compacted
from rag_service.comparison import sides
from rag_service.conversations import Conversations
from rag_service.filters import Filter
from rag_service.prompts import RULES, answer_prompt
from rag_service.ranking import interleaved
from rag_service.retrieval import Found, Retriever
from rag_service.rewriting import Rewriter, documents_language, joined_with_previous
from rag_service.summaries import Summaries, SummaryEvent
from rag_service.tables import GroundingMode
from service_kit.auth import Principal
from service_kit.errors import InvalidInput
from service_kit.output_guard import GuardMetrics, GuardModes, OutputGuard

_DEFAULTS = ChatRequest(())
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection, or of its documents `within`; `history` is the conversation so far, where the caller keeps it.

    `grounding` is what becomes of sentences that no passage supports; the service's setting if None. `affinity` keeps
    a conversation on one side of a canary, `backend` asks for one engine and no other. `graph` searches the collection's graph too,
    or not; as the service's setting says if None. `replaces` is the turn of the conversation
    that is asked anew. `options` says how to generate; its
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
    within: Filter | None = None
    graph: bool | None = None
    replaces: str | None = None
    options: ChatRequest = _DEFAULTS


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers questions, for every endpoint and media type."""

    chat: LLMProvider
    retriever: Retriever
    rewriter: Rewriter
    tables: TableAnswers
    summaries: Summaries
    conversations: Conversations
    top_k: int
    max_tokens: int
    grounding: GroundingMode
    guard_modes: GuardModes
    guard_metrics: GuardMetrics
    vision: LLMProvider | None = None

    async def conversation(self, question: Question, remember: bool, principal: Principal) -> Question:
        """Return the question within its conversation: one that it names, or a new one if `remember`.

        Raises `NotFound` and `Conflict` for a conversation that is not the caller's or is about another collection.
        """
        if question.conversation_id is None:
            if not remember:
                return question
            begun = await self.conversations.begin(question.collection, principal, question.text)
            return replace(question, conversation_id=begun.id, affinity=begun.id)
        history = await self.conversations.history(
            question.conversation_id, question.collection, principal, question.replaces
        )
        return replace(question, history=history, affinity=question.conversation_id)

    async def ask(self, question: Question, deadline: Deadline) -> AsyncGenerator[AnswerEvent, None]:
        """Yield `Sources`, `Progress` of a summary, any number of `Token` and `Thought`, each `GroundedSentence`, one `Answered`.

        Raises what providers and retrieval raise.
        A `Failover` in between says that another backend continues; one that restarted makes the tokens so far void.
        The answer is remembered before its end is yielded.
        """
        started = perf_counter()
        info = await self.chat.info(deadline)
        known = "\n".join((question.text, *(message.content for message in question.history)))
        draft = AnswerDraft(info, self._guard, known, question.grounding or self.grounding)
        standalone = await self._condense(info, question, deadline)
        condensed = draft.lap("condense", started)
        limit = question.max_tokens or self.max_tokens
        if (
            material := await self.summaries.material(question.collection, standalone, info, limit, question.within)
        ) is not None:
            request = self._request(question, (Message("user", standalone),), limit)
            draft.reasons = material.left_out
            yield Sources(material.passages, (), standalone, question.conversation_id)
            draft.read(material.passages, "")
            async for event in self._generate(
                self.summaries.events(material, request, info, deadline), question, draft
            ):
                yield event
            return
        top_k = question.top_k or self.top_k
        for _ in range(_TRIES):
            found = await self.retriever.search(
                question.collection, standalone, top_k, deadline, within=question.within, graph=question.graph
            )
            calculated = await self.tables.answer(standalone, found.passages)
            if calculated is None:
                found = await self._widened(found, info, question, standalone, deadline)
            # Of a document that was replaced between two searches, both versions may be among the passages.
            if await self.retriever.are_current(found.passages):
                break
        passages = await fitting(compacted(found.passages), info, limit, question.text, question.history, deadline)
        draft.degraded, draft.reasons = found.degraded, found.reasons
        if not info.context_known:
            words = f"{info.backend} does not tell its context length: {info.context_tokens} tokens are assumed"
            draft.reasons = (*draft.reasons, words)
        if found.passages and not passages:
            words = f"no room: not one passage fits the {info.context_tokens} tokens of the model beside the question and its answer"
            draft.reasons = (*draft.reasons, f"{words}; ask for a shorter answer")
        draft.seconds |= found.seconds
        draft.lap("retrieval", condensed)
        if calculated is not None:
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
        async for event in self._generate(self.chat.chat(request, deadline), question, draft):
            yield event

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
        draft = AnswerDraft(None, self._guard, "\n".join(message.content for message in question.history))
        request = self._request(question, question.history, question.max_tokens or self.max_tokens)
        async for event in self._generate(chat.chat(request, deadline), question, draft):
            yield event

    def _guard(self, known: str) -> OutputGuard:
        return OutputGuard(self.guard_modes, (RULES, *summaries.RULES), known)

    def _request(self, question: Question, messages: Sequence[Message], max_tokens: int) -> ChatRequest:
        return replace(
            question.options,
            messages=tuple(messages),
            max_tokens=max_tokens,
            affinity=question.affinity,
            backend=question.backend,
        )

    async def _generate(
        self, answer: AsyncGenerator[SummaryEvent, None], question: Question, draft: AnswerDraft
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Pass on an answer as it comes, with its sentences checked where it is from documents, and remember it."""
        begun = perf_counter()
        async with aclosing(answer) as events:
            async for event in events:
                if isinstance(event, Started):
                    draft.lap("first_token", begun)
                if isinstance(event, Token) and (thought := draft.rest_of_thought()) is not None:
                    yield thought
                if (shown := draft.add(event)) is not None:
                    yield shown
                for sentence in draft.checked():
                    yield sentence
                if draft.ends:
                    break
        generated = draft.lap("generation", begun)
        rest = draft.conclude() if draft.from_documents else draft.end()
        if draft.from_documents:
            draft.lap("grounding", generated)
        if rest is not None:
            yield rest
        for sentence in draft.checked():
            yield sentence
        self.guard_metrics.found(draft.findings)
        yield await self._remembered(question, draft.answer(question.conversation_id))

    async def _condense(self, info: ModelInfo, question: Question, deadline: Deadline) -> str:
        previous = [message.content for message in question.history if message.role == "user"]
        if not previous:
            return question.text
        if info.extractive:
            return joined_with_previous(question.text, previous[-1])
        return await self.rewriter.standalone(self._request(question, (), 0), question.text, question.history, deadline)

    async def _widened(
        self, first: Found, info: ModelInfo, question: Question, standalone: str, deadline: Deadline
    ) -> Found:
        """Search for both sides of a comparison too, or in other wordings where the first place is unsure."""
        collection, limit, within = question.collection, question.top_k or self.top_k, question.within
        if compared := sides(standalone):
            more = [
                await self.retriever.search(collection, side, limit, deadline, within=within, graph=question.graph)
                for side in compared
            ]
            ranked = interleaved([first.passages, *(found.passages for found in more)], limit)
            return replace(first, passages=ranked, relevant=any(found.relevant for found in (first, *more)))
        language = await asyncio.to_thread(documents_language, standalone, first.passages)
        if info.extractive or not self.rewriter.wordings or not first.passages or (first.sure and not language):
            return first
        begun = perf_counter()
        wordings = await self.rewriter.worded(self._request(question, (), 0), standalone, language, deadline)
        seconds = {"wordings": round(perf_counter() - begun, 4)}
        if wordings:
            first = await self.retriever.search(
                collection, standalone, limit, deadline, wordings, within, graph=question.graph
            )
        return replace(first, seconds=first.seconds | seconds)

    async def _remembered(self, question: Question, answer: Answered) -> Answered:
        if question.conversation_id is not None:
            await self.conversations.remember(question.conversation_id, question.text, answer, question.replaces)
        return answer
