"""One role as the policy has it: opens the backends that it names, and composes the wrappers around them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from llm_providers.backends import BackendOpener
from llm_providers.base import Backend, EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.engines.table import Engine
from llm_providers.errors import NotConfigured, RequestRejected, Unavailable
from llm_providers.routing import (
    CHAT_ROLES,
    Backoff,
    Canary,
    CircuitBreaker,
    FallbackChat,
    FallbackRerank,
    InvalidPolicy,
    LongTexts,
    Monitor,
    MonitoredChat,
    MonitoredEmbeddings,
    MonitoredRerank,
    Observer,
    Policy,
    PolicyFile,
    RetriedChat,
    RetriedEmbeddings,
    RetriedRerank,
    RolePolicy,
    Rollout,
    SampledChat,
    Shadow,
    Switch,
    SwitchedChat,
    SwitchedEmbeddings,
    SwitchedRerank,
)
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.routing.shadow import Embed
from llm_providers.settings import ProviderSettings
from llm_providers.types import Role

P = TypeVar("P", bound=LLMProvider | EmbeddingProvider | RerankProvider)


@dataclass(frozen=True, slots=True)
class Member(Generic[P]):
    """One backend in one role: `guarded` is what requests use, `direct` bypasses the circuit breaker, for probes."""

    name: str
    engine: Engine
    backend: Backend
    monitor: Monitor
    breaker: CircuitBreaker
    guarded: P
    direct: P


@dataclass(frozen=True, slots=True)
class Shared:
    """What the composers of all roles use together."""

    opener: BackendOpener
    settings: ProviderSettings
    file: PolicyFile
    observer: Observer


class RoleComposer(ABC, Generic[P]):
    """Serves one role with the backends that the policy names; `switch` stays the same object for the life of the process."""

    switch: Switch[P]

    def __init__(self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine]) -> None:
        self.role = role
        self._shared, self._engines = shared, engines
        self._policy = policy.roles[role]
        self._members: dict[str, Member[P]] = {}
        self._opening = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._backoff = Backoff(attempts=shared.settings.resilience.retry_attempts)
        for name in self._policy.named:
            self._members[name] = self._open(name, engines)

    # --- what differs between the roles

    @abstractmethod
    def _monitored(self, backend: Backend, monitor: Monitor, *, admitted: bool) -> P: ...

    @abstractmethod
    def _compose(self, policy: Policy) -> P:
        """Return the chain of wrappers that `policy` asks for; the members it names are open."""

    @abstractmethod
    def _retried(self, provider: P) -> P: ...

    @abstractmethod
    async def _probe(self, provider: P, deadline: Deadline) -> None: ...

    # --- changes

    async def apply(self, policy: Policy, engines: Mapping[str, Engine]) -> None:
        """Follow `policy` and the table of engines from now on.

        Raises `InvalidPolicy` where the role is missing, and `NotConfigured` where a backend can't be opened: the role
        then stays as it was.
        """
        role_policy = policy.roles.get(self.role)
        if role_policy is None:
            raise InvalidPolicy(f"the document leaves out {self.role}, which is served here", "roles")
        async with self._opening:
            members = {n: m for n, m in self._members.items() if engines.get(n) == m.engine}
            for name in role_policy.named:
                if name not in members:
                    members[name] = await asyncio.to_thread(self._open, name, engines)
            outdated = [member for name, member in self._members.items() if member is not members.get(name)]
            self._members, self._engines, self._policy = members, engines, role_policy
        self.switch.replace(self._compose(policy), halted=role_policy.halted)
        for member in outdated:
            self._later(member)

    async def member(self, name: str) -> Member[P]:
        """Return a backend with its wrappers, opened if need be; raises `NotConfigured` for one that can't serve."""
        if name not in self._members:
            async with self._opening:
                if name not in self._members:
                    # In a thread: loading a model that lives in this process takes a while.
                    self._members[name] = await asyncio.to_thread(self._open, name, self._engines)
        return self._members[name]

    async def single(self, name: str) -> P:
        """Return one backend without fallbacks, retried; raises `NotConfigured` for one that can't serve."""
        return self._retried((await self.member(name)).guarded)

    def model(self, name: str) -> str:
        """Return the model by which a backend serves the role."""
        return self._engines[name].roles[self.role].model

    # --- state

    @property
    def chain(self) -> list[Member[P]]:
        """The backends in the order they are called, without the candidate."""
        return [self._members[name] for name in (self._policy.stable, *self._policy.fallbacks)]

    @property
    def _serving(self) -> list[Member[P]]:
        return self.chain

    def extractive(self, member: Member[P]) -> bool:
        """Whether a backend answers by quoting its sources."""
        return self.role in CHAT_ROLES and member.backend.extractive

    def running(self) -> dict[str, int]:
        """Return how many calls are under way on each backend."""
        return {name: member.monitor.running for name, member in self._members.items()}

    def last_success(self) -> float | None:
        """Return when the role last worked, in Unix time."""
        return max((m.monitor.last_success for m in self._serving if m.monitor.last_success), default=None)

    async def check(self, name: str, deadline: Deadline) -> None:
        """Let one backend do real work once, its breaker open or not; raises what it raises."""
        await self._probe((await self.member(name)).direct, deadline)

    async def probe(self, deadline: Deadline) -> None:
        """Make the role work once, halted or not, by the backends that users depend on."""
        await self._probe(self._plain_chain(), deadline)

    @abstractmethod
    def _plain_chain(self) -> P:
        """Return the stable backend and its fallbacks, without canary and shadow."""

    async def aclose(self) -> None:
        """Stop the background work, and close every backend with connections."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for member in self._members.values():
            await self._close(member)

    def _open(self, name: str, engines: Mapping[str, Engine]) -> Member[P]:
        engine = engines.get(name)
        if engine is None or self.role not in engine.roles:
            raise NotConfigured(f"{name!r} does not serve {self.role} here", backend=name)
        observer, resilience = self._shared.observer, self._shared.settings.resilience
        backend = self._shared.opener.open(name, engine, self.role)
        monitor = Monitor(name, self.role, observer)
        direct = self._monitored(backend, monitor, admitted=True)
        monitor.breaker = CircuitBreaker(
            name,
            lambda deadline: self._probe(direct, deadline),
            failures=resilience.breaker_failures,
            reset=resilience.breaker_reset,
            probe_seconds=self._shared.settings.times.first_token_timeout,
            on_state=lambda backend, state: observer.on_breaker(self.role, backend, state),
        )
        guarded = self._monitored(backend, monitor, admitted=False)
        return Member(name, engine, backend, monitor, monitor.breaker, guarded, direct)

    def _later(self, member: Member[P]) -> None:
        """Close a backend that has left the table when its last request has ended."""

        async def close() -> None:
            await member.monitor.drained()
            await self._close(member)

        task = asyncio.create_task(close(), name=f"close-{member.name}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _close(self, member: Member[P]) -> None:
        await member.breaker.stop()
        # A model in this process is shared by the roles; its opener closes it.
        if not member.backend.in_process:
            await member.backend.aclose()

    def _fell_back(self, origin: str, target: str, error: Unavailable) -> None:
        self._shared.observer.on_fallback(self.role, origin, target, type(error).__name__)


class ChatComposer(RoleComposer[LLMProvider]):
    """Text or vision: fallbacks, a canary and a shadow."""

    switch: SwitchedChat

    def __init__(
        self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine], embed: Embed | None
    ) -> None:
        super().__init__(role, shared, policy, engines)
        seconds = shared.settings.times.request_timeout
        self.rollout = Rollout(role, shared.file, shared.observer, embed, seconds)
        self.switch = SwitchedChat(self._compose(policy), self._pinned)
        self.switch.replace(self.switch.provider, halted=self._policy.halted)

    def _monitored(self, backend: Backend, monitor: Monitor, *, admitted: bool) -> LLMProvider:
        assert isinstance(backend, LLMProvider)
        return MonitoredChat(backend, monitor, admitted=admitted)

    def _retried(self, provider: LLMProvider) -> LLMProvider:
        return RetriedChat(provider, self._backoff)

    async def _probe(self, provider: LLMProvider, deadline: Deadline) -> None:
        await probe_chat(provider, deadline)

    def _plain_chain(self) -> LLMProvider:
        return FallbackChat([member.guarded for member in self.chain])

    def _compose(self, policy: Policy) -> LLMProvider:
        role_policy = policy.roles[self.role]
        candidate = self._members[role_policy.candidate] if role_policy.candidate else None
        # The shadow calls the candidate without its monitor: its requests are not users' traffic.
        bare = candidate.backend if candidate else None
        assert bare is None or isinstance(bare, LLMProvider)
        self.rollout.apply(policy, bare)
        stable = [self._members[name].guarded for name in (role_policy.stable, *role_policy.fallbacks)]
        chain: LLMProvider = FallbackChat(stable, self._fell_back, on_break=role_policy.on_break)
        if self.rollout.trial is not None and role_policy.canary_percent and candidate is not None:
            chain = self._canary(role_policy, stable, candidate)
        if self.rollout.shadow is not None and role_policy.shadow_percent:
            chain = Shadow(chain, role_policy.shadow_percent, self.rollout.shadow)
        # Outside of the chain: another backend is tried before the same one is tried again.
        return self._retried(chain)

    async def _pinned(self, name: str) -> LLMProvider:
        try:
            return await self.single(name)
        except NotConfigured as error:
            raise RequestRejected(str(error), backend=name) from error

    def _canary(self, role_policy: RolePolicy, stable: list[LLMProvider], candidate: Member[LLMProvider]) -> Canary:
        trial = self.rollout.trial
        assert trial is not None
        sampled: list[LLMProvider] = [SampledChat(stable[0], trial.add_stable), *stable[1:]]
        tried = SampledChat(candidate.guarded, trial.add_candidate, on_trial=True)
        others = [provider for provider in sampled if provider.name != candidate.name]
        return Canary(
            FallbackChat(sampled, self._fell_back, on_break=role_policy.on_break),
            FallbackChat([tried, *others], self._fell_back, on_break=role_policy.on_break, on_trial=True),
            role_policy.canary_percent,
            trial,
        )

    async def aclose(self) -> None:
        await self.rollout.aclose()
        await super().aclose()


class EmbeddingComposer(RoleComposer[EmbeddingProvider]):
    """Embeddings: the stable backend alone, since another makes other vectors."""

    switch: SwitchedEmbeddings

    def __init__(self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine]) -> None:
        super().__init__(role, shared, policy, engines)
        self.switch = SwitchedEmbeddings(self._compose(policy))
        self.switch.replace(self.switch.provider, halted=self._policy.halted)

    def _monitored(self, backend: Backend, monitor: Monitor, *, admitted: bool) -> EmbeddingProvider:
        assert isinstance(backend, EmbeddingProvider)
        return MonitoredEmbeddings(backend, monitor, admitted=admitted)

    def _retried(self, provider: EmbeddingProvider) -> EmbeddingProvider:
        return RetriedEmbeddings(provider, self._backoff)

    async def _probe(self, provider: EmbeddingProvider, deadline: Deadline) -> None:
        await probe_embeddings(provider, deadline)

    @property
    def _serving(self) -> list[Member[EmbeddingProvider]]:
        return self.chain[:1]

    def _plain_chain(self) -> EmbeddingProvider:
        return self.chain[0].guarded

    def _compose(self, policy: Policy) -> EmbeddingProvider:
        return self._retried(LongTexts(self._members[policy.roles[self.role].stable].guarded))


class RerankComposer(RoleComposer[RerankProvider]):
    """Re-ranking, with fallbacks."""

    switch: SwitchedRerank

    def __init__(self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine]) -> None:
        super().__init__(role, shared, policy, engines)
        self.switch = SwitchedRerank(self._compose(policy))
        self.switch.replace(self.switch.provider, halted=self._policy.halted)

    def _monitored(self, backend: Backend, monitor: Monitor, *, admitted: bool) -> RerankProvider:
        assert isinstance(backend, RerankProvider)
        return MonitoredRerank(backend, monitor, admitted=admitted)

    def _retried(self, provider: RerankProvider) -> RerankProvider:
        return RetriedRerank(provider, self._backoff)

    async def _probe(self, provider: RerankProvider, deadline: Deadline) -> None:
        await probe_rerank(provider, deadline)

    def _plain_chain(self) -> RerankProvider:
        return FallbackRerank([member.guarded for member in self.chain])

    def _compose(self, policy: Policy) -> RerankProvider:
        role_policy = policy.roles[self.role]
        members = [self._members[name].guarded for name in (role_policy.stable, *role_policy.fallbacks)]
        return self._retried(FallbackRerank(members, self._fell_back))
