"""One role as the policy has it: the wrappers around its backends, put together anew with each policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from llm_providers.base import LLMProvider
from llm_providers.candidacy import Candidacy
from llm_providers.catalogue import Catalogue
from llm_providers.deadline import Deadline
from llm_providers.errors import NotConfigured, ProviderError, RequestRejected, Unavailable
from llm_providers.routing import (
    Backoff,
    Breaker,
    Canary,
    Fallback,
    Judged,
    LongTexts,
    Observed,
    Observer,
    OnBreak,
    Policy,
    PolicyFile,
    Retry,
    Shadow,
    Switch,
)
from llm_providers.routing.policy import CHAT_ROLES
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.routing.shadow import Embed
from llm_providers.settings import ProviderSettings
from llm_providers.types import Role

_PROBES: dict[Role, Callable[[Any, Deadline], Awaitable[None]]] = {
    Role.TEXT: probe_chat,
    Role.VISION: probe_chat,
    Role.EMBEDDINGS: probe_embeddings,
    Role.RERANK: probe_rerank,
}


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend serving one role, and the wrappers that know how it fares."""

    name: str
    model: str
    provider: Any
    observed: Observed[Any]
    breaker: Breaker[Any]


class Router:
    """Serves one role by whatever the policy names; `provider` stays the same object all along."""

    def __init__(
        self,
        role: Role,
        catalogue: Catalogue,
        settings: ProviderSettings,
        file: PolicyFile,
        observer: Observer,
        embed: Embed | None,
    ) -> None:
        self.role = role
        self._catalogue, self._settings, self._file, self._observer = catalogue, settings, file, observer
        self._backends: dict[str, Backend] = {}
        self._policy = file.current.roles[role]
        self.candidacy = Candidacy(role, file, observer, embed, settings.times.request_timeout)
        self.provider: Switch[Any] = Switch(self._compose(file.current), self.pinned)
        self.provider.become(self.provider.current, halted=self._policy.halted)

    def apply(self, policy: Policy) -> None:
        """Let `policy` decide from now on; raises `NotConfigured` where it names what can't be opened here."""
        before, self._policy = self._policy, policy.roles[self.role]
        try:
            for name in self._policy.named:
                self.backend(name)
        except ProviderError:
            self._policy = before
            raise
        self.provider.become(self._compose(policy), halted=self._policy.halted)

    def backend(self, name: str) -> Backend:
        """The backend under its guards, opened if need be; raises `NotConfigured` for one that can't serve the role."""
        if name not in self._backends:
            self._backends[name] = self._guard(name)
        return self._backends[name]

    def pinned(self, name: str) -> Any:
        """One backend without stand-ins; raises `RequestRejected` for one that is not there."""
        try:
            return self.alone(name)
        except NotConfigured as error:
            raise RequestRejected(str(error), backend=name) from error

    def alone(self, name: str) -> Any:
        """One backend without stand-ins, retried; raises `NotConfigured`."""
        return self._retried(self._outer(self.backend(name)))

    def whole(self, name: str) -> Any:
        """Like `alone`, but never making several requests out of one; raises `NotConfigured`."""
        return self._retried(self.backend(name).breaker)

    async def check(self, name: str, deadline: Deadline) -> None:
        """Let one backend do real work once, its breaker open or not; raises what it raises."""
        await _PROBES[self.role](self.backend(name).observed, deadline)

    async def about(self, name: str, deadline: Deadline) -> dict[str, Any]:
        """What a backend says of itself in this role; `error` where it says nothing."""
        try:
            described: dict[str, Any] = await self.backend(name).provider.about(self.role, deadline)
        except ProviderError as error:
            return {"error": str(error)}
        return described

    @property
    def chain(self) -> list[Backend]:
        """The backends in the order they are asked, without the candidate."""
        return [self.backend(name) for name in (self._policy.stable, *self._policy.fallbacks)]

    @property
    def asked(self) -> list[Backend]:
        """Those that a request may reach: for embeddings and rerank the stable one alone."""
        return self.chain if self.role in CHAT_ROLES else self.chain[:1]

    def last_success(self) -> float | None:
        """When the role last worked, Unix time."""
        return max((b.observed.last_success for b in self.asked if b.observed.last_success), default=None)

    async def probe(self, deadline: Deadline) -> None:
        """Make the role work once, halted or not, by the backends that users depend on."""
        guards = [backend.breaker for backend in self.asked]
        await _PROBES[self.role](Fallback(guards), deadline)

    async def aclose(self) -> None:
        """Stop what runs beside the requests."""
        for backend in self._backends.values():
            await backend.breaker.stop()
        await self.candidacy.aclose()

    # --- putting together

    def _compose(self, policy: Policy) -> Any:
        wanted = policy.roles[self.role]
        if self.role not in CHAT_ROLES:
            return self.alone(wanted.stable)
        rival = self.backend(wanted.candidate).provider if wanted.candidate else None
        self.candidacy.apply(policy, rival)
        trial, desk = self.candidacy.trial, self.candidacy.desk
        stable = [self.backend(name).breaker for name in (wanted.stable, *wanted.fallbacks)]
        chain: LLMProvider = self._fallback(stable, wanted.on_break)
        if trial is not None and wanted.canary_percent and wanted.candidate is not None:
            judged = [Judged(stable[0], trial.add_stable), *stable[1:]]
            tried = Judged(self.backend(wanted.candidate).breaker, trial.add_candidate, on_trial=True)
            others = [guard for guard in judged if guard.name != wanted.candidate]
            chain = Canary(
                self._fallback(judged, wanted.on_break),
                self._fallback([tried, *others], wanted.on_break, on_trial=True),
                wanted.canary_percent,
                trial,
            )
        if desk is not None and wanted.shadow_percent:
            chain = Shadow(chain, wanted.shadow_percent, desk)
        return self._retried(chain)

    def _fallback(
        self, providers: Sequence[LLMProvider], on_break: OnBreak, *, on_trial: bool = False
    ) -> Fallback[LLMProvider]:
        return Fallback(providers, self._fell_back, on_break=on_break, on_trial=on_trial)

    def _outer(self, backend: Backend) -> Any:
        return LongTexts(backend.breaker) if self.role is Role.EMBEDDINGS else backend.breaker

    def _retried(self, provider: Any) -> Any:
        # Around the whole chain: another backend is asked before the same one is asked again.
        return Retry(provider, Backoff(attempts=self._settings.resilience.retry_attempts))

    def _guard(self, name: str) -> Backend:
        resilience = self._settings.resilience
        provider = self._catalogue.open(name, self.role)
        observed: Observed[Any] = Observed(provider, self.role, self._observer)
        breaker: Breaker[Any] = Breaker(
            cast(Any, observed),
            _PROBES[self.role],
            failures=resilience.breaker_failures,
            reset=resilience.breaker_reset,
            probe_seconds=self._settings.times.first_token_timeout,
            on_state=lambda backend, state: self._observer.on_breaker(self.role, backend, state),
        )
        return Backend(name, self._catalogue.model(name, self.role), provider, observed, breaker)

    def _fell_back(self, origin: str, target: str, error: Unavailable) -> None:
        self._observer.on_fallback(self.role, origin, target, type(error).__name__)
