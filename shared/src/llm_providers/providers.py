"""The providers of a process, by role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self, cast

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.catalogue import Catalogue
from llm_providers.deadline import Deadline
from llm_providers.dropin import DropIn
from llm_providers.errors import NotConfigured, ProviderError
from llm_providers.readiness import Readiness, Watched
from llm_providers.router import Backend, Router
from llm_providers.routing import BreakerState, InvalidPolicy, Observer, Policy, PolicyFile
from llm_providers.settings import ProviderSettings
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Role, Vectors

_ABOUT_SECONDS = 10


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
        routers: Mapping[Role, Router],
        catalogue: Catalogue,
        policy: PolicyFile,
        observer: Observer,
        reopen: Callable[[], Providers] | None = None,
    ) -> None:
        self.settings, self.policy = settings, policy
        self._routers, self._catalogue, self._observer, self._reopen = dict(routers), catalogue, observer, reopen
        self._open = True
        self.readiness = Readiness(
            {role: Watched(router.last_success, router.probe) for role, router in routers.items()},
            interval=settings.resilience.probe_interval,
            probe_seconds=settings.times.first_token_timeout,
        )
        policy.watch(self._apply)

    async def start(self, required: set[Role] | None = None) -> None:
        """Begin to follow the policy, and to watch `required` roles (all that are served, by default)."""
        self.policy.start()
        self._observer.on_policy(self.policy.current)
        await self.readiness.start(required)

    @property
    def text(self) -> LLMProvider:
        return cast(LLMProvider, self._routers[Role.TEXT].provider)

    @property
    def embeddings(self) -> EmbeddingProvider:
        return cast(EmbeddingProvider, self._routers[Role.EMBEDDINGS].provider)

    @property
    def vision(self) -> LLMProvider | None:
        router = self._routers.get(Role.VISION)
        return cast(LLMProvider, router.provider) if router else None

    @property
    def rerank(self) -> RerankProvider | None:
        router = self._routers.get(Role.RERANK)
        return cast(RerankProvider, router.provider) if router else None

    def embedder(self, backend: str) -> EmbeddingProvider:
        """One backend's embeddings, whatever the policy says; raises `NotConfigured` where it makes none.

        A batch is one request, so that its answer can be verified: texts that are too long are refused, not split.
        """
        router = self._routers.get(Role.EMBEDDINGS)
        if router is None:
            raise NotConfigured(f"{backend!r} does not serve embeddings here", backend=backend)
        return cast(EmbeddingProvider, router.whole(backend))

    def backends(self) -> dict[str, frozenset[Role]]:
        """The configured backends, and the roles that each can serve."""
        return self._catalogue.roles()

    async def change(self, expected: int, make: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        """Change the policy for every service that shares it; in effect here when this returns.

        Raises `StalePolicy` unless its revision is `expected`, `InvalidPolicy`, and `ManagedElsewhere`.
        """

        def checked(before: Policy) -> Policy:
            after = make(before)
            # Roles that other services serve too: a mistake must not get to them by way of this one.
            changed = [role for role, wanted in after.roles.items() if wanted != before.roles.get(role)]
            after.check(self.backends(), {*self._routers, *changed})
            return after

        written = await asyncio.to_thread(self.policy.replace, expected, checked, by, why)
        self.policy.adopt(written)
        return written

    async def check(self, role: Role, backend: str) -> None:
        """Let one backend do real work once; raises what it raises, and `NotConfigured`."""
        if role not in self._routers:
            raise NotConfigured(f"{role} is not served here", backend=backend)
        await self._routers[role].check(backend, self.deadline())

    async def about(self) -> dict[str, dict[Role, dict[str, Any]]]:
        """What each configured backend says of itself, per role; `error` where it says nothing."""
        said: dict[str, dict[Role, dict[str, Any]]] = {}
        for name, roles in self.backends().items():
            for role in sorted(roles & set(self._routers)):
                said.setdefault(name, {})[role] = await self._routers[role].about(name, Deadline.after(_ABOUT_SECONDS))
        return said

    def model(self, role: Role, backend: str) -> str:
        """The model by which a backend serves a role."""
        return self._catalogue.model(backend, role)

    def trials(self) -> dict[Role, tuple[dict[str, Any] | None, dict[str, Any] | None]]:
        """Per role how the canary and the shadow fare, None where there is none."""
        return {role: (r.candidacy.canary(), r.candidacy.shadow()) for role, r in self._routers.items()}

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
        return self._routers[Role.TEXT].chain[0].provider.get_direct_client()

    def fresh(self) -> Self:
        """Connections belong to an event loop: another loop gets its own, as the same settings say."""
        return cast(Self, self._reopen()) if self._reopen else self

    def deadline(self) -> Deadline:
        """A fresh budget for one request, as configured."""
        return Deadline.after(self.settings.times.request_timeout)

    def status(self) -> dict[Role, RoleStatus]:
        """Per role: backend, model, breaker state, last success."""
        return {role: _status(router.chain) for role, router in self._routers.items()}

    async def aclose(self) -> None:
        """Stop what runs beside the requests, and close every backend; may be called twice."""
        if not self._open:
            return
        self._open = False
        async with AsyncExitStack() as stack:
            for closing in (*self._catalogue.opened, *self._routers.values(), self.readiness, self.policy):
                stack.push_async_callback(closing.aclose)

    def _apply(self, policy: Policy) -> None:
        self._observer.on_policy(policy)
        for role, router in self._routers.items():
            try:
                policy.check(self.backends(), [role])
                router.apply(policy)
            except (InvalidPolicy, ProviderError) as error:
                # Somebody's file, and not checked by us: the role stays with what it had.
                self.policy.fault = f"revision {policy.revision}: {error}"

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
