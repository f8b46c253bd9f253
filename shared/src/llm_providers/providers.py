"""The providers of a process, by role."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self, cast

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.dropin import DropIn
from llm_providers.readiness import Readiness, Watched
from llm_providers.routing import Breaker, BreakerState, Observed
from llm_providers.settings import ProviderSettings
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Role, Vectors


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend serving one role, and the wrappers that know how it fares."""

    name: str
    model: str
    observed: Observed[Any]
    breaker: Breaker[Any]


@dataclass(frozen=True, slots=True)
class Served:
    """What serves a role: the outermost wrapper, the backends under it in order, and a probe of the whole."""

    provider: LLMProvider | EmbeddingProvider | RerankProvider
    backends: Sequence[Backend]
    probe: Callable[[Deadline], Awaitable[None]]

    def last_success(self) -> float | None:
        return max((b.observed.last_success for b in self.backends if b.observed.last_success), default=None)


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """`last_success` is Unix time; `last_error` the words of the last failure, None once it worked again."""

    backend: str
    model: str
    breaker: BreakerState
    last_success: float | None
    last_error: str | None
    extractive: bool


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """The backend that is asked first, and those that stand in for it."""

    active: BackendStatus
    fallbacks: tuple[BackendStatus, ...]


class Providers(DropIn):
    """Every role that is served, and `None` for those that are not; closes what the factory opened.

    Is a text and embedding provider itself, for code that wants one object.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        served: Mapping[Role, Served],
        opened: Sequence[Any],
        reopen: Callable[[], Providers] | None = None,
    ) -> None:
        self.settings, self._served, self._opened, self._reopen = settings, dict(served), list(opened), reopen
        times, resilience = settings.times, settings.resilience
        self.readiness = Readiness(
            {role: Watched(s.last_success, s.probe) for role, s in served.items()},
            interval=resilience.probe_interval,
            probe_seconds=times.first_token_timeout,
        )

    @property
    def text(self) -> LLMProvider:
        return cast(LLMProvider, self._served[Role.TEXT].provider)

    @property
    def embeddings(self) -> EmbeddingProvider:
        return cast(EmbeddingProvider, self._served[Role.EMBEDDINGS].provider)

    @property
    def vision(self) -> LLMProvider | None:
        served = self._served.get(Role.VISION)
        return cast(LLMProvider, served.provider) if served else None

    @property
    def rerank(self) -> RerankProvider | None:
        served = self._served.get(Role.RERANK)
        return cast(RerankProvider, served.provider) if served else None

    @property
    def name(self) -> str:
        return self.text.name

    def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        return self.text.chat(request, deadline)

    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self.text.info(deadline)

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        return await self.embeddings.embed(texts, kind, deadline)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return await self.embeddings.embedding_model(deadline)

    def get_direct_client(self) -> Any:
        """The SDK's own client of the backend that serves text."""
        return self._opened[0].get_direct_client()

    def fresh(self) -> Self:
        """Connections belong to an event loop: another loop gets its own, as the same settings say."""
        return cast(Self, self._reopen()) if self._reopen else self

    def deadline(self) -> Deadline:
        """A fresh budget for one request, as configured."""
        return Deadline.after(self.settings.times.request_timeout)

    def status(self) -> dict[Role, RoleStatus]:
        """Per role: backend, model, breaker state, last success."""
        return {role: _status(served.backends) for role, served in self._served.items()}

    async def aclose(self) -> None:
        """Stop the probes and close every backend; may be called twice."""
        await self.readiness.aclose()
        opened, self._opened = self._opened, []
        async with AsyncExitStack() as stack:
            for backend in opened:
                stack.push_async_callback(backend.aclose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _status(backends: Sequence[Backend]) -> RoleStatus:
    first, *others = [
        BackendStatus(
            backend.name,
            backend.model,
            backend.breaker.state,
            backend.observed.last_success,
            str(backend.observed.last_error) if backend.observed.last_error else None,
            backend.model == "extractive",
        )
        for backend in backends
    ]
    return RoleStatus(first, tuple(others))
