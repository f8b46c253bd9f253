"""The same provider again, a little later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Unavailable
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Vectors

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
    """Iterates over the attempts of one call: each is a context that swallows a failure after which another may be made.

    ```
    async for attempt in Attempts(backoff, deadline):
        with attempt:
            return await call()
    ```
    """

    def __init__(self, backoff: Backoff, deadline: Deadline) -> None:
        self._backoff, self._deadline = backoff, deadline
        self._number = 0
        self._wait = 0.0
        self._final = False

    def __aiter__(self) -> Attempts:
        return self

    async def __anext__(self) -> Attempts:
        if self._number:
            await self._backoff.sleep(self._wait)
        self._deadline.check()
        self._number += 1
        return self

    def make_final(self) -> None:
        """Let the next failure out: the caller has been given a part of the answer."""
        self._final = True

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Unavailable) or self._final or self._number >= self._backoff.attempts:
            return False
        self._wait = self._backoff.wait(self._number, error)
        # A server that wants to be left alone for longer is one to fall back from, not to wait for.
        return self._wait <= min(self._backoff.longest, self._deadline.remaining)


class RetriedChat:
    """Tries again until the answer has begun, only within the deadline."""

    def __init__(self, provider: LLMProvider, backoff: Backoff) -> None:
        self._provider, self._backoff = provider, backoff

    @property
    def name(self) -> str:
        return self._provider.name

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        async for attempt in Attempts(self._backoff, deadline):
            with attempt:
                async with aclosing(self._provider.chat(request, deadline)) as stream:
                    async for event in stream:
                        attempt.make_final()
                        yield event
                return

    async def info(self, deadline: Deadline) -> ModelInfo:
        async for attempt in Attempts(self._backoff, deadline):
            with attempt:
                return await self._provider.info(deadline)
        raise AssertionError("the last attempt returns or raises")


class RetriedEmbeddings:
    """Tries again within the deadline."""

    def __init__(self, provider: EmbeddingProvider, backoff: Backoff) -> None:
        self._provider, self._backoff = provider, backoff

    @property
    def name(self) -> str:
        return self._provider.name

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        async for attempt in Attempts(self._backoff, deadline):
            with attempt:
                return await self._provider.embed(texts, kind, deadline)
        raise AssertionError("the last attempt returns or raises")

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        async for attempt in Attempts(self._backoff, deadline):
            with attempt:
                return await self._provider.embedding_model(deadline)
        raise AssertionError("the last attempt returns or raises")


class RetriedRerank:
    """Tries again within the deadline."""

    def __init__(self, provider: RerankProvider, backoff: Backoff) -> None:
        self._provider, self._backoff = provider, backoff

    @property
    def name(self) -> str:
        return self._provider.name

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        async for attempt in Attempts(self._backoff, deadline):
            with attempt:
                return await self._provider.rerank(query, documents, top_n, deadline)
        raise AssertionError("the last attempt returns or raises")
