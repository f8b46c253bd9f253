"""Whatever the policy says now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Halted
from llm_providers.routing._wrapper import P, Wrapper
from llm_providers.types import ChatEvent, ChatRequest

T = TypeVar("T")
_RETRY_AFTER = 30.0


class Switch(Wrapper[P]):
    """Hands each request to the provider that is current when it begins; the request ends where it began.

    While halted it raises `Halted`, and so do the streams that were running. A request that names its backend gets it
    from `pinned`, which raises for one that is not there.
    """

    def __init__(self, provider: P, pinned: Callable[[str], P]) -> None:
        self._provider, self._pinned = provider, pinned
        self._halted = False
        self._running: set[_Running] = set()

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def current(self) -> P:
        """The provider itself, halted or not."""
        return self._provider

    def become(self, provider: Any, *, halted: bool) -> None:
        """Send what comes from now on to `provider`."""
        self._provider, self._halted = provider, halted
        if halted:
            for stream in self._running:
                stream.halt()

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        if self._halted:
            raise _halted()
        return await call(self._provider)

    async def ask(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        return await call(self._provider)

    async def chat(
        self: Switch[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        if self._halted:
            raise _halted()
        provider = self._pinned(request.backend) if request.backend else self._provider
        running = _Running()
        self._running.add(running)
        try:
            async with aclosing(provider.chat(request, deadline)) as stream:
                while (event := await running.next(stream)) is not None:
                    yield event
        finally:
            self._running.discard(running)


class _Running:
    """One stream, and the way to stop it from outside."""

    def __init__(self) -> None:
        self._halted = False
        self._scope: asyncio.Timeout | None = None

    def halt(self) -> None:
        self._halted = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def next(self, stream: AsyncGenerator[ChatEvent, None]) -> ChatEvent | None:
        """Return the next event, None after the last; raises `Halted` as soon as the halt comes."""
        if self._halted:
            raise _halted()
        try:
            async with asyncio.timeout(None) as self._scope:
                return await anext(stream, None)
        except TimeoutError:
            raise _halted() from None
        finally:
            self._scope = None


def _halted() -> Halted:
    return Halted(
        "generation is halted by the operator; `switchyard providers resume` ends it", retry_after=_RETRY_AFTER
    )
