"""Every call on a backend is measured, remembered and, unless it is a probe, admitted by the circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from time import monotonic, time

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.routing.breaker import CircuitBreaker
from llm_providers.routing.observer import Observer, outcome_of
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    Done,
    EmbeddingModel,
    EmbedKind,
    ModelInfo,
    Ranked,
    Role,
    Vectors,
)


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
            self._succeeded(call)
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
        self._succeeded(call)
        call.done = True

    def _succeeded(self, call: Call) -> None:
        if call.done:
            return
        self.last_success, self.last_error = time(), None
        if self.breaker is not None:
            self.breaker.succeeded()
        self._report("ok", call)

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


class MonitoredChat:
    """A chat provider whose calls are monitored; a stream counts by its end, however well it began."""

    def __init__(self, provider: LLMProvider, monitor: Monitor, *, admitted: bool = False) -> None:
        self._provider, self._monitor, self._admitted = provider, monitor, admitted

    @property
    def name(self) -> str:
        return self._provider.name

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        with self._monitor.call(admitted=self._admitted) as call:
            async with aclosing(self._provider.chat(request, deadline)) as stream:
                async for event in stream:
                    if call.first is None:
                        call.first = monotonic() - call.begun
                    if isinstance(event, Done):
                        self._monitor.finish(call)
                    yield event

    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self._provider.info(deadline)


class MonitoredEmbeddings:
    """An embedding provider whose calls are monitored."""

    def __init__(self, provider: EmbeddingProvider, monitor: Monitor, *, admitted: bool = False) -> None:
        self._provider, self._monitor, self._admitted = provider, monitor, admitted

    @property
    def name(self) -> str:
        return self._provider.name

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        with self._monitor.call(admitted=self._admitted):
            return await self._provider.embed(texts, kind, deadline)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return await self._provider.embedding_model(deadline)


class MonitoredRerank:
    """A rerank provider whose calls are monitored."""

    def __init__(self, provider: RerankProvider, monitor: Monitor, *, admitted: bool = False) -> None:
        self._provider, self._monitor, self._admitted = provider, monitor, admitted

    @property
    def name(self) -> str:
        return self._provider.name

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        with self._monitor.call(admitted=self._admitted):
            return await self._provider.rerank(query, documents, top_n, deadline)
