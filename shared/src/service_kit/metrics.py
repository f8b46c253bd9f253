"""Prometheus metrics of one service and of its jobs, in a registry of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from llm_providers.routing import Observer, Policy
from service_kit.figures import Figures
from service_kit.problems import FAILURES

STATES = ("queued", "running", "waiting")
"""The states of an open job; `waiting` is a job that has begun and waits for an unavailable peer."""
OUTCOMES = ("ready", "failed", "cancelled")

log = structlog.get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
_REFRESH_SECONDS = 3
_BREAKER_STATES = ("closed", "half_open", "open")


class Metrics(Observer):
    """What a service counts; it is the `Observer` of the provider package as well."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.figures = Figures()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        seconds = partial(Histogram, buckets=_SECONDS, registry=registry)
        provider = ("role", "backend")
        self._http = counter("switchyard_http_requests", "HTTP requests", ("method", "route", "status"))
        words = "Time to the last byte of the answer"
        self._http_seconds = seconds("switchyard_http_request_seconds", words, ("method", "route"))
        words = "Requests the service could not serve, by type of problem; a stream that ended with an error is one"
        self._failures = counter("switchyard_http_failures", words, ("type",))
        for kind in FAILURES:
            self._failures.labels(kind)
        words = "1 for what the service needs and has, 0 for what it lacks"
        self._ready = gauge("switchyard_ready", words, ("check",))
        self._provider = counter("switchyard_provider_requests", "Calls to model servers", (*provider, "outcome"))
        self._provider_seconds = seconds("switchyard_provider_request_seconds", "Time of a call", provider)
        self._first_token = seconds("switchyard_provider_first_token_seconds", "Time to the first token", provider)
        fallback = ("role", "from_backend", "to_backend", "reason")
        self._fallbacks = counter("switchyard_provider_fallbacks", "Requests handed to another backend", fallback)
        self._policy = gauge("switchyard_policy_revision", "Revision of the policy in effect")
        self._active = gauge("switchyard_provider_active", "1 for the role's stable backend", provider)
        self._canary = gauge("switchyard_canary_percent", "Share of conversations for the candidate", ("role",))
        self._halted = gauge("switchyard_halted", "1 while generation is stopped by the operator", ("role",))
        self._trips = counter("switchyard_canary_trips", "Gates that ended a canary", ("role", "candidate", "gate"))
        words = "Requests for the shadow, by what became of them"
        self._shadow = counter("switchyard_shadow_requests", words, ("role", "candidate", "outcome"))
        words = "1 for the state the breaker is in"
        self._breaker = gauge("switchyard_provider_breaker_state", words, (*provider, "state"))
        self._breakers: set[tuple[str, str]] = set()
        self._refreshers: list[Callable[[], Awaitable[None]]] = []

    def on_http(self, method: str, route: str, status: int, seconds: float) -> None:
        self._http.labels(method, route, str(status)).inc()
        self._http_seconds.labels(method, route).observe(seconds)

    def on_failure(self, kind: str) -> None:
        self._failures.labels(kind).inc()

    def on_checks(self, names: Collection[str], failed: Mapping[str, object]) -> None:
        """Show what the service needs, `names`, and which of it is not there."""
        self._ready.clear()
        for name in {*names, *failed}:
            self._ready.labels(name).set(name not in failed)

    def on_request(
        self, role: str, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        self._provider.labels(role, backend, outcome).inc()
        self._provider_seconds.labels(role, backend).observe(seconds)
        if first_token_seconds is not None:
            self._first_token.labels(role, backend).observe(first_token_seconds)
        if outcome != "cancelled":
            self.figures.add(role, backend, seconds, first_token_seconds, error=outcome != "ok")

    def on_tokens(self, role: str, backend: str, tokens: int, seconds: float) -> None:
        self.figures.add_tokens(role, backend, tokens, seconds)

    def on_fallback(self, role: str, from_backend: str, to_backend: str, reason: str) -> None:
        self._fallbacks.labels(role, from_backend, to_backend, reason).inc()

    def on_breaker(self, role: str, backend: str, state: str) -> None:
        self._breakers.add((role, backend))
        for known in _BREAKER_STATES:
            self._breaker.labels(role, backend, known).set(1 if known == state else 0)

    def on_policy(self, policy: Policy) -> None:
        self._policy.set(policy.revision)
        self._active.clear()
        for role, wanted in policy.roles.items():
            self._active.labels(role, wanted.stable).set(1)
            for backend in wanted.named:
                if (role, backend) not in self._breakers:
                    self.on_breaker(role, backend, "closed")
            self._canary.labels(role).set(wanted.canary_percent)
            self._halted.labels(role).set(wanted.halted)
        log.info("policy", revision=policy.revision, by=policy.changed.by, why=policy.changed.why)

    def on_trip(self, role: str, candidate: str, gate: str) -> None:
        self._trips.labels(role, candidate, gate).inc()
        log.warning("canary stopped", role=role, candidate=candidate, gate=gate)

    def on_shadow(self, role: str, candidate: str, outcome: str) -> None:
        self._shadow.labels(role, candidate, outcome).inc()

    def before_render(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Let `refresh` look at what is shown, but not counted as it happens, each time that somebody asks."""
        self._refreshers.append(refresh)

    async def current(self) -> bytes:
        """Return the exposition text as it is now; what can't be looked at in time is left out, never waited for."""
        for refresh in self._refreshers:
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await refresh()
            except Exception as error:
                log.warning("metrics not refreshed", error=type(error).__name__)
        return self.render()

    def render(self) -> bytes:
        """Return the exposition text, https://prometheus.io/docs/instrumenting/exposition_formats/."""
        return generate_latest(self.registry)


class JobMetrics:
    """The metrics of a service's jobs; `kinds` maps each kind of job to the units in which its progress is counted.

    All counters exist from the start: one that appears with its first event hides that event from `increase()`.
    """

    def __init__(self, registry: CollectorRegistry, kinds: Mapping[str, Sequence[str]]) -> None:
        self._kinds = kinds
        self._open = Gauge("switchyard_jobs", "Open jobs, by state", ("kind", "state"), registry=registry)
        self._results = Counter(
            "switchyard_job_results", "Jobs that ended, by how", ("kind", "outcome"), registry=registry
        )
        self._progress = Counter(
            "switchyard_job_progress", "Parts of jobs that were done", ("kind", "unit"), registry=registry
        )
        for kind, units in kinds.items():
            for outcome in OUTCOMES:
                self._results.labels(kind, outcome)
            for unit in units:
                self._progress.labels(kind, unit)

    def show(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Show how many jobs of each kind are in each state now."""
        for kind in self._kinds:
            for state in STATES:
                self._open.labels(kind, state).set(counts.get((kind, state), 0))

    def hide(self) -> None:
        """Show no number rather than an old one."""
        self._open.clear()

    def ended(self, kind: str, outcome: str) -> None:
        self._results.labels(kind, outcome).inc()

    def progressed(self, kind: str, unit: str, count: int) -> None:
        self._progress.labels(kind, unit).inc(count)
