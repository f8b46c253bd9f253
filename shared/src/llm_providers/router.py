"""One role as the policy has it: the wrappers around its backends, put together anew with each policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from llm_providers.base import LLMProvider
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
    Policy,
    PolicyFile,
    Retry,
    RolePolicy,
    Shadow,
    ShadowDesk,
    Switch,
    Trial,
)
from llm_providers.routing.policy import CHAT_ROLES
from llm_providers.routing.policy_file import PolicyError, StalePolicy
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.routing.shadow import Comparison, Embed, as_json
from llm_providers.routing.trial import Trip
from llm_providers.settings import ProviderSettings
from llm_providers.types import Role

_PROBES: dict[Role, Callable[[Any, Deadline], Awaitable[None]]] = {
    Role.TEXT: probe_chat,
    Role.VISION: probe_chat,
    Role.EMBEDDINGS: probe_embeddings,
    Role.RERANK: probe_rerank,
}
_SHADOW_LOG_BYTES = 16_000_000


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
        self._embed = embed
        self._backends: dict[str, Backend] = {}
        self._policy = file.current.roles[role]
        self._trial: Trial | None = None
        self._trial_of: tuple[Any, ...] = ()
        self._desk: ShadowDesk | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
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

    def canary(self) -> dict[str, Any] | None:
        """How the candidate fares; None where there is none."""
        if self._trial is None:
            return None
        return {
            "candidate": self._policy.candidate,
            "percent": self._policy.canary_percent,
            "since": self._file.current.changed.at.isoformat(),
            **self._trial.report(),
        }

    def shadow(self) -> dict[str, Any] | None:
        """What the shadow has shown; None where there is none."""
        return self._desk.report() if self._desk else None

    async def aclose(self) -> None:
        """Stop what runs beside the requests."""
        for backend in self._backends.values():
            await backend.breaker.stop()
        if self._desk is not None:
            await self._desk.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- putting together

    def _compose(self, policy: Policy) -> Any:
        wanted = policy.roles[self.role]
        if self.role not in CHAT_ROLES:
            return self.alone(wanted.stable)
        self._trial = self._trial_for(wanted, policy)
        self._desk = self._desk_for(wanted)
        chain: LLMProvider = self._fallback(wanted, None)
        if self._trial is not None and wanted.canary_percent:
            chain = Canary(chain, self._fallback(wanted, wanted.candidate), wanted.canary_percent, self._trial)
        if self._desk is not None and wanted.shadow_percent:
            chain = Shadow(chain, wanted.shadow_percent, self._desk)
        return self._retried(chain)

    def _fallback(self, wanted: RolePolicy, candidate: str | None) -> LLMProvider:
        providers: list[LLMProvider] = [self.backend(name).breaker for name in (wanted.stable, *wanted.fallbacks)]
        if self._trial is not None:
            providers[0] = Judged(providers[0], self._trial.add_stable)
            if candidate is not None:
                providers.insert(0, Judged(self.backend(candidate).breaker, self._trial.add_candidate, on_trial=True))
        if len(providers) == 1 and wanted.on_break == "fail":
            return providers[0]
        return Fallback(providers, self._fell_back, on_break=wanted.on_break, on_trial=candidate is not None)

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

    # --- candidate

    def _trial_for(self, wanted: RolePolicy, policy: Policy) -> Trial | None:
        if not wanted.canary_percent:
            # What tripped it stays to be read until there is another.
            return self._trial if self._trial_of[:2] == (wanted.stable, wanted.candidate) else None
        same = (wanted.stable, wanted.candidate, wanted.canary_percent, policy.gates)
        # A canary that is set again after it was stopped is tried again.
        if self._trial is None or self._trial.tripped or self._trial_of != same:
            self._trial_of = same
            return Trial(policy.gates, self._tripped)
        return self._trial

    def _desk_for(self, wanted: RolePolicy) -> ShadowDesk | None:
        desk, candidate = self._desk, wanted.candidate
        if desk is not None and desk.candidate == candidate:
            return desk
        if desk is not None:
            self._later(desk.aclose())
        if candidate is None or not wanted.shadow_percent or self._embed is None:
            return None
        return ShadowDesk(
            self.backend(candidate).provider,
            self._settings.times.request_timeout,
            self._embed,
            self._store,
            lambda outcome: self._observer.on_shadow(self.role, candidate, outcome),
        )

    def _tripped(self, trips: Sequence[Trip]) -> None:
        candidate, why = self._policy.candidate or "", "; ".join(trip.words for trip in trips)
        for trip in trips:
            self._observer.on_trip(self.role, candidate, trip.gate)
        self._later(self._stop_canary(candidate, f"canary of {candidate} stopped: {why}"))

    async def _stop_canary(self, candidate: str, why: str) -> None:
        """Write it down for every replica, unless another was first."""
        try:
            while (now := self._file.read()).roles[self.role].candidate == candidate:
                if not now.roles[self.role].canary_percent:
                    return
                with suppress(StalePolicy):
                    revision = now.revision
                    stopped = await asyncio.to_thread(self._file.replace, revision, self._without_canary, "gate", why)
                    self._file.adopt(stopped)
        except (OSError, PolicyError) as error:
            self._file.fault = f"{why}; in this process only, it could not be written down: {error}"

    def _without_canary(self, policy: Policy) -> Policy:
        return policy.with_role(self.role, canary_percent=0)

    async def _store(self, comparison: Comparison) -> None:
        if (folder := self._file.folder) is not None:
            line = json.dumps({"role": self.role, **as_json(comparison)}) + "\n"
            await asyncio.to_thread(_append, folder / "shadow.jsonl", line)

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _append(path: Path, line: str) -> None:
    if path.exists() and path.stat().st_size > _SHADOW_LOG_BYTES:
        path.replace(path.with_suffix(".jsonl.1"))
    with path.open("a") as file:
        file.write(line)
