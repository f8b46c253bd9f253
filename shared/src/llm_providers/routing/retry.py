"""The same provider again, a little later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from llm_providers.base import EmbeddingProvider, LLMProvider, P, RerankProvider, Wrapper
from llm_providers.deadline import Deadline
from llm_providers.errors import Unavailable
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Vectors

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: `base` doubled with every attempt up to `longest`, a random part of it taken off.

    Full jitter, after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    attempts: int = 3
    base: float = 0.2
    longest: float = 5.0
    sleep: Sleep = asyncio.sleep

    def wait(self, attempt: int, error: Unavailable) -> float:
        """Return the seconds before the attempt after the `attempt`-th (from 1); never less than the server asked for."""
        ceiling = min(self.longest, self.base * 2 ** (attempt - 1))
        return max(error.retry_after or 0.0, random.uniform(0.0, ceiling))  # noqa: S311


class Attempts:
    """The attempts of one call, only within its deadline."""

    def __init__(self, backoff: Backoff, deadline: Deadline) -> None:
        deadline.check()
        self._backoff, self._deadline = backoff, deadline
        self._failed = 0

    async def another(self, error: Unavailable) -> None:
        """Wait until the next attempt; raises `error` where none may be made."""
        self._failed += 1
        wait = self._backoff.wait(self._failed, error)
        # A server that wants to be left alone for longer is one to fall back from, not to wait for.
        if self._failed >= self._backoff.attempts or wait > min(self._backoff.longest, self._deadline.remaining):
            raise error
        await self._backoff.sleep(wait)
        self._deadline.check()


class Retried(Wrapper[P]):
    """A provider that is asked again."""

    def __init__(self, provider: P, backoff: Backoff) -> None:
        super().__init__(provider)
        self._backoff = backoff

    # Callers return this coroutine instead of awaiting it: one stack frame less for each vector.
    async def _call(self, call: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        attempts = Attempts(self._backoff, deadline)
        while True:
            try:
                return await call()
            except Unavailable as error:
                await attempts.another(error)


class RetriedChat(Retried[LLMProvider]):
    """A chat provider that is asked again until the answer has begun."""

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        attempts, begun = Attempts(self._backoff, deadline), False
        while True:
            try:
                async with aclosing(self._provider.chat(request, deadline)) as stream:
                    async for event in stream:
                        begun = True
                        yield event
                return
            except Unavailable as error:
                if begun:
                    raise
                await attempts.another(error)

    def info(self, deadline: Deadline) -> Coroutine[Any, Any, ModelInfo]:
        return self._call(lambda: self._provider.info(deadline), deadline)


class RetriedEmbeddings(Retried[EmbeddingProvider]):
    def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Coroutine[Any, Any, Vectors]:
        return self._call(lambda: self._provider.embed(texts, kind, deadline), deadline)

    def embedding_model(self, deadline: Deadline) -> Coroutine[Any, Any, EmbeddingModel]:
        return self._call(lambda: self._provider.embedding_model(deadline), deadline)


class RetriedRerank(Retried[RerankProvider]):
    def rerank(
        self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline
    ) -> Coroutine[Any, Any, list[Ranked]]:
        return self._call(lambda: self._provider.rerank(query, documents, top_n, deadline), deadline)
