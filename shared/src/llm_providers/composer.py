"""One role as the policy has it: opens the backends that it names, and composes the wrappers around them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from llm_providers.backends import BackendOpener
from llm_providers.base import Backend, EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.engines.table import Engine
from llm_providers.errors import NotConfigured, RequestRejected, Unavailable
from llm_providers.routing import InvalidPolicy, Observer, Policy
from llm_providers.routing.breaker import CircuitBreaker, probe_chat, probe_embeddings, probe_rerank
from llm_providers.routing.canary import Canary, SampledChat
from llm_providers.routing.fallback import FallbackChat, FallbackRerank
from llm_providers.routing.long_texts import LongTexts
from llm_providers.routing.monitor import Monitor, MonitoredChat, MonitoredEmbeddings, MonitoredRerank
from llm_providers.routing.policy_file import PolicyFile
from llm_providers.routing.retry import Backoff, RetriedChat, RetriedEmbeddings, RetriedRerank
from llm_providers.routing.rollout import Rollout
from llm_providers.routing.shadow import Embed, Shadow
from llm_providers.routing.switch import Switch, SwitchedChat, SwitchedEmbeddings, SwitchedRerank
from llm_providers.routing.trial import Trial
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


@dataclass(frozen=True, slots=True)
class Wrappers(Generic[P]):
    """The wrappers and the probe of one protocol."""

    monitored: Callable[..., P]
    retried: Callable[[P, Backoff], P]
    probe: Callable[[P, Deadline], Awaitable[None]]


class RoleComposer(ABC, Generic[P]):
    """Serves one role with the backends that the policy names; `switch` stays the same object for the life of the process."""

    wrappers: Wrappers[P]

    def __init__(self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine]) -> None:
        self.role = role
        self._shared, self._engines = shared, engines
        self._policy = policy.roles[role]
        self._opening = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._backoff = Backoff(attempts=shared.settings.resilience.retry_attempts)
        self._members = {name: self._open(name, engines) for name in self._policy.named}
        self.switch = self._switched(self._compose(policy))
        self.switch.replace(self.switch.provider, halted=self._policy.halted)

    # --- what differs between the roles

    @abstractmethod
    def _switched(self, provider: P) -> Switch[P]: ...

    @abstractmethod
    def _compose(self, policy: Policy) -> P:
        """Return the chain of wrappers that `policy` asks for; the members it names are open."""

    @abstractmethod
    def _plain_chain(self) -> P:
        """Return the stable backend and its fallbacks, without canary and shadow."""

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
        return self.wrappers.retried((await self.member(name)).guarded, self._backoff)

    # --- state

    @property
    def chain(self) -> list[Member[P]]:
        """The backends in the order they are called, without the candidate."""
        return [self._members[name] for name in (self._policy.stable, *self._policy.fallbacks)]

    @property
    def _serving(self) -> list[Member[P]]:
        return self.chain

    def running(self) -> dict[str, int]:
        """Return how many calls are under way on each backend."""
        return {name: member.monitor.running for name, member in self._members.items()}

    def last_success(self) -> float | None:
        """Return when the role last worked, in Unix time."""
        return max((m.monitor.last_success for m in self._serving if m.monitor.last_success), default=None)

    async def check(self, name: str, deadline: Deadline) -> None:
        """Let one backend do real work once, its breaker open or not; raises what it raises."""
        await self.wrappers.probe((await self.member(name)).direct, deadline)

    async def probe(self, deadline: Deadline) -> None:
        """Make the role work once, halted or not, by the backends that users depend on."""
        await self.wrappers.probe(self._plain_chain(), deadline)

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
        direct = self.wrappers.monitored(backend, monitor, admitted=True)
        monitor.breaker = CircuitBreaker(
            name,
            lambda deadline: self.wrappers.probe(direct, deadline),
            failures=resilience.breaker_failures,
            reset=resilience.breaker_reset,
            probe_seconds=self._shared.settings.times.first_token_timeout,
            on_state=lambda backend, state: observer.on_breaker(self.role, backend, state),
        )
        guarded = self.wrappers.monitored(backend, monitor)
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

    wrappers: Wrappers[LLMProvider] = Wrappers(MonitoredChat, RetriedChat, probe_chat)

    def __init__(
        self, role: Role, shared: Shared, policy: Policy, engines: Mapping[str, Engine], embed: Embed | None
    ) -> None:
        self.rollout = Rollout(role, shared.file, shared.observer, embed, shared.settings.times.request_timeout)
        super().__init__(role, shared, policy, engines)

    def _switched(self, provider: LLMProvider) -> SwitchedChat:
        return SwitchedChat(provider, self._pinned)

    def _plain_chain(self) -> LLMProvider:
        return FallbackChat([member.guarded for member in self.chain])

    def _compose(self, policy: Policy) -> LLMProvider:
        wanted = self._policy
        candidate = self._members[wanted.candidate] if wanted.candidate else None
        # The shadow calls the candidate without its monitor: its requests are not users' traffic.
        bare = candidate.backend if candidate else None
        assert bare is None or isinstance(bare, LLMProvider)
        self.rollout.apply(policy, bare)
        stable = [member.guarded for member in self.chain]
        if self.rollout.trial is not None and wanted.canary_percent and candidate is not None:
            chain: LLMProvider = self._canary(self.rollout.trial, stable, candidate)
        else:
            chain = FallbackChat(stable, self._fell_back, on_break=wanted.on_break)
        if self.rollout.shadow is not None and wanted.shadow_percent:
            chain = Shadow(chain, wanted.shadow_percent, self.rollout.shadow)
        # Outside of the chain: another backend is tried before the same one is tried again.
        return RetriedChat(chain, self._backoff)

    async def _pinned(self, name: str) -> LLMProvider:
        try:
            return await self.single(name)
        except NotConfigured as error:
            raise RequestRejected(str(error), backend=name) from error

    def _canary(self, trial: Trial, stable: list[LLMProvider], candidate: Member[LLMProvider]) -> Canary:
        on_break = self._policy.on_break
        sampled: list[LLMProvider] = [SampledChat(stable[0], trial.add_stable), *stable[1:]]
        tried = SampledChat(candidate.guarded, trial.add_candidate, on_trial=True)
        others = [provider for provider in sampled if provider.name != candidate.name]
        return Canary(
            FallbackChat(sampled, self._fell_back, on_break=on_break),
            FallbackChat([tried, *others], self._fell_back, on_break=on_break, on_trial=True),
            self._policy.canary_percent,
            trial,
        )

    async def aclose(self) -> None:
        await self.rollout.aclose()
        await super().aclose()


class EmbeddingComposer(RoleComposer[EmbeddingProvider]):
    """Embeddings: the stable backend alone, since another makes other vectors."""

    wrappers: Wrappers[EmbeddingProvider] = Wrappers(MonitoredEmbeddings, RetriedEmbeddings, probe_embeddings)

    def _switched(self, provider: EmbeddingProvider) -> SwitchedEmbeddings:
        return SwitchedEmbeddings(provider)

    @property
    def _serving(self) -> list[Member[EmbeddingProvider]]:
        return self.chain[:1]

    def _plain_chain(self) -> EmbeddingProvider:
        return self.chain[0].guarded

    def _compose(self, policy: Policy) -> EmbeddingProvider:
        return RetriedEmbeddings(LongTexts(self.chain[0].guarded), self._backoff)


class RerankComposer(RoleComposer[RerankProvider]):
    """Re-ranking, with fallbacks."""

    wrappers: Wrappers[RerankProvider] = Wrappers(MonitoredRerank, RetriedRerank, probe_rerank)

    def _switched(self, provider: RerankProvider) -> SwitchedRerank:
        return SwitchedRerank(provider)

    def _plain_chain(self) -> RerankProvider:
        return FallbackRerank([member.guarded for member in self.chain])

    def _compose(self, policy: Policy) -> RerankProvider:
        return RetriedRerank(FallbackRerank([member.guarded for member in self.chain], self._fell_back), self._backoff)
