"""Prometheus metrics of one service, in a registry of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from llm_providers.routing import Observer, Policy
from service_kit.errors import FAILURES

log = structlog.get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
_REFRESH_SECONDS = 3
_BREAKER_STATES = ("closed", "half_open", "open")


class Metrics(Observer):
    """What a service counts; it is the `Observer` of the provider package as well."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._http = Counter("switchyard_http_requests", "HTTP requests", labels, registry=self.registry)
        self._http_seconds = Histogram(
            "switchyard_http_request_seconds",
            "Time to the last byte of the answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._failures = Counter(
            "switchyard_http_failures",
            "Requests the service could not serve, by type of problem; a stream that ended with an error is one",
            ("type",),
            registry=self.registry,
        )
        for kind in FAILURES:
            self._failures.labels(kind)
        self._ready = Gauge(
            "switchyard_ready",
            "1 for what the service needs and has, 0 for what it lacks",
            ("check",),
            registry=self.registry,
        )
        provider = ("role", "backend")
        self._provider = Counter(
            "switchyard_provider_requests", "Calls to model servers", (*provider, "outcome"), registry=self.registry
        )
        self._provider_seconds = Histogram(
            "switchyard_provider_request_seconds", "Time of a call", provider, buckets=_SECONDS, registry=self.registry
        )
        self._first_token = Histogram(
            "switchyard_provider_first_token_seconds",
            "Time to the first token",
            provider,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._fallbacks = Counter(
            "switchyard_provider_fallbacks",
            "Requests handed to another backend",
            ("role", "from_backend", "to_backend", "reason"),
            registry=self.registry,
        )
        self._policy = Gauge("switchyard_policy_revision", "Revision of the policy in effect", registry=self.registry)
        self._active = Gauge(
            "switchyard_provider_active", "1 for the role's stable backend", provider, registry=self.registry
        )
        self._canary = Gauge(
            "switchyard_canary_percent", "Share of conversations for the candidate", ("role",), registry=self.registry
        )
        self._halted = Gauge(
            "switchyard_halted", "1 while generation is stopped by the operator", ("role",), registry=self.registry
        )
        self._trips = Counter(
            "switchyard_canary_trips",
            "Gates that ended a canary",
            ("role", "candidate", "gate"),
            registry=self.registry,
        )
        self._shadow = Counter(
            "switchyard_shadow_requests",
            "Requests for the shadow, by what became of them",
            ("role", "candidate", "outcome"),
            registry=self.registry,
        )
        self._breaker = Gauge(
            "switchyard_provider_breaker_state",
            "1 for the state the breaker is in",
            (*provider, "state"),
            registry=self.registry,
        )
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

    def on_fallback(self, role: str, from_backend: str, to_backend: str, reason: str) -> None:
        self._fallbacks.labels(role, from_backend, to_backend, reason).inc()

    def _begin(self, role: str, backend: str) -> None:
        """Show the breaker of a backend that has not failed yet."""
        if (role, backend) not in self._breakers:
            self.on_breaker(role, backend, "closed")

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
                self._begin(role, backend)
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
