"""LangChain objects over our protocols; needs the extra `langchain`, and is imported on demand only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from llm_providers.base import EmbeddingProvider, LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.portal import Portal
from llm_providers.types import ChatRequest, Done, EmbedKind, Message, Token

if TYPE_CHECKING:
    pass

_SECONDS = 600.0
_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def to_messages(messages: list[BaseMessage]) -> tuple[Message, ...]:
    """Convert LangChain's messages to ours; raises ValueError for a kind that has no counterpart (tools)."""
    unknown = next((message.type for message in messages if message.type not in _ROLES), None)
    if unknown is not None:
        raise ValueError(f"messages of type {unknown!r} are not supported")
    return tuple(Message(cast(Any, _ROLES[message.type]), str(message.text)) for message in messages)


class ProviderChatModel(BaseChatModel):
    """The text role as a LangChain chat model; synchronous calls run in the portal, with connections of its own."""

    chat: Any
    portal: Any
    max_tokens: int = 1024
    temperature: float = 0.2
    timeout: float = _SECONDS

    @property
    def _llm_type(self) -> str:
        return f"switchyard-{self.chat.name}"

    def _request(self, messages: list[BaseMessage], stop: list[str] | None) -> ChatRequest:
        return ChatRequest(to_messages(messages), self.max_tokens, self.temperature, tuple(stop or ()))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in self._chunks(self.chat, self._request(messages, stop)):
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.text), chunk=chunk)
            yield chunk

    async def _chunks(self, chat: LLMProvider, request: ChatRequest) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(chat.chat(request, Deadline.after(self.timeout))) as stream:
            async for event in stream:
                if isinstance(event, Token):
                    yield ChatGenerationChunk(message=AIMessageChunk(content=event.text))
                elif isinstance(event, Done):
                    prompt, completion = event.usage.prompt_tokens, event.usage.completion_tokens
                    yield ChatGenerationChunk(
                        message=AIMessageChunk(
                            content="",
                            response_metadata={"finish_reason": event.finish_reason, "warnings": list(event.warnings)},
                            usage_metadata={
                                "input_tokens": prompt,
                                "output_tokens": completion,
                                "total_tokens": prompt + completion,
                            },
                        )
                    )

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._chunks(self.chat, self._request(messages, stop)))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop)
        result: ChatResult = self.portal.call(
            lambda providers: agenerate_from_stream(self._chunks(providers.text, request))
        )
        return result


class ProviderEmbeddings(Embeddings):
    """The embeddings role as LangChain embeddings; synchronous calls run in the portal."""

    def __init__(self, embeddings: EmbeddingProvider, portal: Portal, timeout: float = _SECONDS) -> None:
        self._embeddings, self._portal, self._timeout = embeddings, portal, timeout

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await self._vectors(self._embeddings, texts, EmbedKind.DOCUMENT)

    async def aembed_query(self, text: str) -> list[float]:
        return (await self._vectors(self._embeddings, [text], EmbedKind.QUERY))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._portal.call(lambda providers: self._vectors(providers.embeddings, texts, EmbedKind.DOCUMENT))

    def embed_query(self, text: str) -> list[float]:
        return self._portal.call(lambda providers: self._vectors(providers.embeddings, [text], EmbedKind.QUERY))[0]

    async def _vectors(self, provider: EmbeddingProvider, texts: list[str], kind: EmbedKind) -> list[list[float]]:
        vectors = await provider.embed(texts, kind, Deadline.after(self._timeout))
        return cast(list[list[float]], vectors.tolist())
