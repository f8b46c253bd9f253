"""What code that knew the earlier systems calls: `invoke`, `initialize_llm`, `initialize_embeddings`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.types import ChatRequest, Failover, Message, Token

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel

T = TypeVar("T")
_SECONDS = 600.0


async def complete(provider: LLMProvider, request: ChatRequest, deadline: Deadline) -> str:
    """The whole text of one answer; raises what `chat` raises."""
    pieces: list[str] = []
    async with aclosing(provider.chat(request, deadline)) as stream:
        async for event in stream:
            if isinstance(event, Token):
                pieces.append(event.text)
            elif isinstance(event, Failover) and event.restarted:
                pieces.clear()
    return "".join(pieces)


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in a thread and event loop of its own: the caller's loop may be running."""
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, name="llm-providers-invoke")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class DropIn:
    """The synchronous names; a mix-in for whatever has `chat`, and `embed` for `initialize_embeddings`."""

    def fresh(self) -> Self:
        """A provider like this one that another event loop may use; itself where no connection is held."""
        return self

    def invoke(self, prompt: str, *, max_tokens: int = 1024, timeout: float = _SECONDS) -> str:
        """Answer one prompt, waiting for it; works inside a running event loop too, which then stands still."""

        async def ask() -> str:
            other = self.fresh()
            provider = cast(LLMProvider, other)
            try:
                request = ChatRequest((Message("user", prompt),), max_tokens=max_tokens)
                return await complete(provider, request, Deadline.after(timeout))
            finally:
                if other is not self:
                    await provider.aclose()

        return run_apart(ask())

    def initialize_llm(self) -> BaseChatModel:
        """A LangChain chat model; needs the extra `langchain`."""
        from llm_providers.langchain import ProviderChatModel

        return ProviderChatModel(provider=self)

    def initialize_embeddings(self) -> Embeddings:
        """A LangChain embeddings object; needs the extra `langchain`."""
        from llm_providers.langchain import ProviderEmbeddings

        return ProviderEmbeddings(self)
