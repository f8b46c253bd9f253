"""A backend that keeps failing is left alone for a while."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from enum import StrEnum
from time import monotonic
from typing import TypeVar

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError, Unavailable
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
    """Opens after `failures` calls in a row that were `Unavailable`; closes again on a probe that does real work.

    While open it raises `Unavailable` at once, with the seconds left as `retry_after`. The first call after
    `reset` seconds is kept waiting for the probe, everyone else is still turned away. A stream counts by its end: one
    that breaks off is a failure however well it began.
    """

    def __init__(
        self,
        provider: P,
        probe: Probe[P],
        *,
        failures: int = 5,
        reset: float = 30.0,
        probe_seconds: float = 30.0,
        on_state: OnState = _ignore,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._provider, self._probe = provider, probe
        self._limit, self._reset, self._probe_seconds = failures, reset, probe_seconds
        self._on_state, self._clock = on_state, clock
        self._failures, self._opened_at = 0, 0.0
        self._state = BreakerState.CLOSED

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def state(self) -> BreakerState:
        return self._state

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        await self._admit(deadline)
        result = await self._counted(lambda: call(self._provider))
        self._succeeded()
        return result

    async def ask(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        return await call(self._provider)

    async def chat(
        self: Breaker[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        await self._admit(deadline)
        async with aclosing(self._provider.chat(request, deadline)) as stream:
            while True:
                event = await self._counted(lambda: anext(stream, None))
                if event is None:
                    return
                if isinstance(event, Done):
                    self._succeeded()
                yield event

    async def _counted(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except Unavailable:
            self._failed()
            raise

    async def _admit(self, deadline: Deadline) -> None:
        if self._state is BreakerState.CLOSED:
            return
        left = self._opened_at + self._reset - self._clock()
        if self._state is BreakerState.HALF_OPEN or left > 0:
            wait = max(left, 1.0)
            raise Unavailable("the circuit breaker is open", backend=self.name, retry_after=wait)
        self._become(BreakerState.HALF_OPEN)
        try:
            within = Deadline.after(min(self._probe_seconds, deadline.remaining))
            await self._probe(self._provider, within)
        except ProviderError:
            self._open()
            raise
        except BaseException:
            # Cancelled by whoever waited for it: nothing is known, the next one probes.
            self._become(BreakerState.OPEN)
            raise
        self._failures = 0
        self._become(BreakerState.CLOSED)

    def _succeeded(self) -> None:
        # An answer that began before the breaker opened does not close it: only the probe does.
        if self._state is BreakerState.CLOSED:
            self._failures = 0

    def _failed(self) -> None:
        self._failures += 1
        if self._state is BreakerState.CLOSED and self._failures >= self._limit:
            self._open()

    def _open(self) -> None:
        self._opened_at = self._clock()
        self._become(BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        if state is not self._state:
            self._state = state
            self._on_state(self.name, state)
