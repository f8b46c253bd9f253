"""A backend that keeps failing is left alone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from enum import StrEnum
from time import monotonic
from typing import TypeVar

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Timeout, Unavailable
from llm_providers.routing._wrapper import P, Wrapper
from llm_providers.types import ChatEvent, ChatRequest, Done

T = TypeVar("T")
Probe = Callable[[P, Deadline], Awaitable[None]]


class BreakerState(StrEnum):
    """`open` means that nothing gets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


OnState = Callable[[str, BreakerState], None]


def _ignore(_name: str, _state: BreakerState) -> None:
    return None


class Breaker(Wrapper[P]):
    """Opens after `failures` calls in a row that were `Unavailable`, and after one that hung until its time-out.

    While open it raises `Unavailable` at once, with the seconds until the next probe as `retry_after`. Every `reset`
    seconds a probe does real work on the provider, and closes the breaker if it can; no caller waits for it. A stream
    counts by its end: one that breaks off is a failure however well it began.
    """

    def __init__(
        self,
        provider: P,
        probe: Probe[P],
        *,
        failures: int = 5,
        reset: float = 5.0,
        probe_seconds: float = 120.0,
        on_state: OnState = _ignore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._provider, self._probe = provider, probe
        self._limit, self._reset, self._probe_seconds = failures, reset, probe_seconds
        self._on_state, self._sleep = on_state, sleep
        self._failures, self._opened_at = 0, 0.0
        self._state = BreakerState.CLOSED
        self._recovery: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def state(self) -> BreakerState:
        return self._state

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        self._admit()
        try:
            result = await call(self._provider)
        except Unavailable as error:
            self._failed(error)
            raise
        self._succeeded()
        return result

    async def ask(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        return await call(self._provider)

    async def chat(
        self: Breaker[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        self._admit()
        async with aclosing(self._provider.chat(request, deadline)) as stream:
            try:
                async for event in stream:
                    if isinstance(event, Done):
                        self._succeeded()
                    yield event
            except Unavailable as error:
                self._failed(error)
                raise

    async def stop(self) -> None:
        """Probe no more; the provider is about to be closed."""
        task, self._recovery = self._recovery, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _admit(self) -> None:
        if self._state is not BreakerState.CLOSED:
            left = self._opened_at + self._reset - monotonic()
            raise Unavailable("the circuit breaker is open", backend=self.name, retry_after=max(left, 1.0))

    def _succeeded(self) -> None:
        # An answer that began before the breaker opened does not close it: only the probe does.
        if self._state is BreakerState.CLOSED:
            self._failures = 0

    def _failed(self, error: Unavailable) -> None:
        self._failures += 1
        # Hanging costs each caller its whole time-out: one such caller is enough.
        if self._state is BreakerState.CLOSED and (self._failures >= self._limit or isinstance(error, Timeout)):
            self._open()
            self._recovery = asyncio.create_task(self._recover(), name=f"breaker-{self.name}")

    async def _recover(self) -> None:
        while self._state is not BreakerState.CLOSED:
            await self._sleep(self._reset)
            self._become(BreakerState.HALF_OPEN)
            try:
                await self._probe(self._provider, Deadline.after(self._probe_seconds))
            except Exception:  # whatever it is, it is not up: and the next probe must come
                self._open()
            else:
                self._failures = 0
                self._become(BreakerState.CLOSED)

    def _open(self) -> None:
        self._opened_at = monotonic()
        self._become(BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        if state is not self._state:
            self._state = state
            self._on_state(self.name, state)
