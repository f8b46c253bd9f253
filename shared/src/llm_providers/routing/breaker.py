"""A backend that keeps failing is not called for a while, until the smallest real work shows it to be alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from enum import StrEnum
from time import monotonic

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import InvalidResponse, ProviderError, Timeout, Unavailable
from llm_providers.types import ChatRequest, Done, EmbedKind, Message, Thought, Token

_ONE_TOKEN = ChatRequest((Message("user", "Say yes."),), max_tokens=1, temperature=0.0)

Probe = Callable[[Deadline], Awaitable[None]]

log = logging.getLogger(__name__)


class BreakerState(StrEnum):
    """`open` means that nothing gets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


OnState = Callable[[str, BreakerState], None]


class CircuitBreaker:
    """Opens after `failures` calls in a row that were `Unavailable`, and after one that hung until its time-out.

    While it is open, `admit` raises `Unavailable` with the seconds until the next probe as `retry_after`. Every `reset`
    seconds the probe does real work on the backend and closes the breaker if it succeeds; no caller waits for it.
    """

    def __init__(
        self,
        name: str,
        probe: Probe,
        *,
        failures: int = 5,
        reset: float = 5.0,
        probe_seconds: float = 120.0,
        on_state: OnState = lambda _name, _state: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._probe = probe
        self._limit, self._reset, self._probe_seconds = failures, reset, probe_seconds
        self._on_state, self._sleep = on_state, sleep
        self._failures, self._opened_at = 0, 0.0
        self._state = BreakerState.CLOSED
        self._recovery: asyncio.Task[None] | None = None

    @property
    def state(self) -> BreakerState:
        return self._state

    def admit(self) -> None:
        """Raise `Unavailable` unless calls may be made."""
        if self._state is not BreakerState.CLOSED:
            left = self._opened_at + self._reset - monotonic()
            raise Unavailable("the circuit breaker is open", backend=self.name, retry_after=max(left, 1.0))

    def succeeded(self) -> None:
        # An answer that began before the breaker opened does not close it: only the probe does.
        if self._state is BreakerState.CLOSED:
            self._failures = 0

    def failed(self, error: ProviderError) -> None:
        """Count a failure; errors that are the request's own fault don't count."""
        if not isinstance(error, Unavailable):
            return
        self._failures += 1
        # Each caller of a hanging backend waits for its whole time-out: one such caller is enough.
        if self._state is BreakerState.CLOSED and (self._failures >= self._limit or isinstance(error, Timeout)):
            log.warning("%s is not called for a while: %s", self.name, error)
            self._open()
            self._recovery = asyncio.create_task(self._recover(), name=f"breaker-{self.name}")

    async def stop(self) -> None:
        """Stop probing; the backend is about to be closed."""
        task, self._recovery = self._recovery, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _recover(self) -> None:
        while self._state is not BreakerState.CLOSED:
            await self._sleep(self._reset)
            self._become(BreakerState.HALF_OPEN)
            try:
                await self._probe(Deadline.after(self._probe_seconds))
            except Exception:  # whatever it is, the backend does not work, and the next probe must come
                self._open()
            else:
                log.info("%s works again", self.name)
                self._failures = 0
                self._become(BreakerState.CLOSED)

    def _open(self) -> None:
        self._opened_at = monotonic()
        self._become(BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        if state is not self._state:
            self._state = state
            self._on_state(self.name, state)


async def probe_chat(provider: LLMProvider, deadline: Deadline) -> None:
    """Generate one token, of an answer or of the reasoning before it; raises what `chat` raises, and `InvalidResponse`."""
    produced = False
    async with aclosing(provider.chat(_ONE_TOKEN, deadline)) as stream:
        async for event in stream:
            if isinstance(event, Thought):
                # One token is proof enough; the rest may be long.
                return
            # One token may be half a character, which shows in the count alone.
            produced |= isinstance(event, Token) or (isinstance(event, Done) and event.usage.completion_tokens > 0)
    if not produced:
        raise InvalidResponse("the model produced no token", backend=provider.name)


async def probe_embeddings(provider: EmbeddingProvider, deadline: Deadline) -> None:
    """Make one vector; raises what `embed` raises."""
    await provider.embed(["probe"], EmbedKind.QUERY, deadline)


async def probe_rerank(provider: RerankProvider, deadline: Deadline) -> None:
    """Rank two documents; raises what `rerank` raises."""
    await provider.rerank("probe", ["probe", "other"], 1, deadline)
