"""Every call on a backend is measured, remembered and, unless it is a probe, admitted by the circuit breaker.

An `Observer` receives the measurements.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from time import monotonic, time

from llm_providers.base import (
    ChatWrapper,
    EmbeddingProvider,
    EmbeddingWrapper,
    LateInteraction,
    LLMProvider,
    P,
    RerankProvider,
    Wrapper,
)
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.routing.breaker import CircuitBreaker
from llm_providers.routing.policy import Policy
from llm_providers.types import ChatEvent, ChatRequest, Done, EmbedKind, Ranked, Role, TokenDocument, Vectors


class Observer:
    """Receives measurements, and ignores them unless a method is overridden.

    Called from the event loop, so it must not block.
    """

    def on_request(
        self, role: Role, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        """A call has ended; `outcome` is "ok", "cancelled" or the error's type in snake case."""

    def on_tokens(self, role: Role, backend: str, tokens: int, seconds: float) -> None:
        """An answer had `tokens` tokens, which came within `seconds` of the first."""

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        """A request was handed to another backend."""

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        """A circuit breaker has changed its state."""

    def on_policy(self, policy: Policy) -> None:
        """A policy has come into effect in this process."""

    def on_trip(self, role: Role, candidate: str, gate: str) -> None:
        """A gate has ended a candidate's canary."""

    def on_shadow(self, role: Role, candidate: str, outcome: str) -> None:
        """`outcome` is "sampled", then "done", "failed" or "dropped"; "unstored" too where it couldn't be written."""


def outcome_of(error: BaseException) -> str:
    """Return the name of an error in metrics."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


class Monitor:
    """Reports each call on one backend in one role, and remembers when it last worked.

    `breaker` is set once: it may need the monitored backend for its probe.
    """

    def __init__(self, name: str, role: Role, observer: Observer) -> None:
        self.name = name
        self._role, self._observer = role, observer
        self.breaker: CircuitBreaker | None = None
        self.running = 0
        self._idle = asyncio.Event()
        self.last_success: float | None = None
        self.last_error: ProviderError | None = None

    @contextmanager
    def call(self, *, admitted: bool) -> Iterator[Call]:
        """Measure the block; raises `Unavailable` at once where the breaker is open and the call not yet `admitted`."""
        if self.breaker is not None and not admitted:
            self.breaker.admit()
        call = Call()
        self.running += 1
        self._idle.clear()
        try:
            yield call
        except BaseException as error:
            # A consumer that leaves after the end has had its whole answer.
            if not call.done:
                self._failed(error, call)
            raise
        else:
            self.finish(call)
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()

    async def drained(self) -> None:
        """Wait until no call is under way."""
        if self.running:
            await self._idle.wait()

    def finish(self, call: Call) -> None:
        """Count a stream as whole, although its consumer may not ask for what follows the last event."""
        if call.done:
            return
        call.done = True
        self.last_success, self.last_error = time(), None
        if self.breaker is not None:
            self.breaker.succeeded()
        self._report("ok", call)

    def generated(self, tokens: int, call: Call) -> None:
        if tokens > 1 and call.first is not None:
            self._observer.on_tokens(self._role, self.name, tokens - 1, monotonic() - call.begun - call.first)

    def _failed(self, error: BaseException, call: Call) -> None:
        if isinstance(error, ProviderError):
            self.last_error = error
            if self.breaker is not None:
                self.breaker.failed(error)
        self._report(outcome_of(error), call)

    def _report(self, outcome: str, call: Call) -> None:
        self._observer.on_request(self._role, self.name, outcome, monotonic() - call.begun, call.first)


class Call:
    """One call under way; `first` is the seconds to the first event of a stream."""

    def __init__(self) -> None:
        self.begun = monotonic()
        self.first: float | None = None
        self.done = False


class Monitored(Wrapper[P]):
    """A provider whose calls are monitored; those of a probe are `admitted` by an open breaker too."""

    def __init__(self, provider: P, monitor: Monitor, *, admitted: bool = False) -> None:
        super().__init__(provider)
        self._monitor, self._admitted = monitor, admitted


class MonitoredChat(Monitored[LLMProvider], ChatWrapper):
    """A stream counts by its end, however well it began."""

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        with self._monitor.call(admitted=self._admitted) as call:
            async with aclosing(self._provider.chat(request, deadline)) as stream:
                async for event in stream:
                    if call.first is None:
                        call.first = monotonic() - call.begun
                    if isinstance(event, Done):
                        self._monitor.finish(call)
                        self._monitor.generated(event.usage.completion_tokens, call)
                    yield event


class MonitoredEmbeddings(Monitored[EmbeddingProvider], EmbeddingWrapper):
    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        with self._monitor.call(admitted=self._admitted):
            return await self._provider.embed(texts, kind, deadline)


class MonitoredRerank(Monitored[RerankProvider]):
    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        with self._monitor.call(admitted=self._admitted):
            return await self._provider.rerank(query, documents, top_n, deadline)


class MonitoredTokens:
    """Late interaction whose calls count as those of its backend's embeddings."""

    def __init__(self, provider: LateInteraction, monitor: Monitor) -> None:
        self._provider, self._monitor = provider, monitor

    async def embed_with_tokens(self, texts: Sequence[str], deadline: Deadline) -> tuple[Vectors, list[bytes]]:
        with self._monitor.call(admitted=False):
            return await self._provider.embed_with_tokens(texts, deadline)

    async def rerank_tokens(self, query: str, documents: Sequence[TokenDocument], deadline: Deadline) -> list[float]:
        with self._monitor.call(admitted=False):
            return await self._provider.rerank_tokens(query, documents, deadline)
