"""Prometheus metrics of one service, in a registry of its own."""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from llm_providers.routing import Policy

log = structlog.get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
_BREAKER_STATES = ("closed", "half_open", "open")


class Metrics:
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

    def on_http(self, method: str, route: str, status: int, seconds: float) -> None:
        self._http.labels(method, route, str(status)).inc()
        self._http_seconds.labels(method, route).observe(seconds)

    def on_request(
        self, role: str, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        self._provider.labels(role, backend, outcome).inc()
        self._provider_seconds.labels(role, backend).observe(seconds)
        if first_token_seconds is not None:
            self._first_token.labels(role, backend).observe(first_token_seconds)

    def on_fallback(self, role: str, from_backend: str, to_backend: str, reason: str) -> None:
        self._fallbacks.labels(role, from_backend, to_backend, reason).inc()

    def on_breaker(self, role: str, backend: str, state: str) -> None:
        for known in _BREAKER_STATES:
            self._breaker.labels(role, backend, known).set(1 if known == state else 0)

    def on_policy(self, policy: Policy) -> None:
        self._policy.set(policy.revision)
        self._active.clear()
        for role, wanted in policy.roles.items():
            self._active.labels(role, wanted.stable).set(1)
            self._canary.labels(role).set(wanted.canary_percent)
            self._halted.labels(role).set(wanted.halted)
        log.info("policy", revision=policy.revision, by=policy.changed.by, why=policy.changed.why)

    def on_trip(self, role: str, candidate: str, gate: str) -> None:
        self._trips.labels(role, candidate, gate).inc()
        log.warning("canary stopped", role=role, candidate=candidate, gate=gate)

    def on_shadow(self, role: str, candidate: str, outcome: str) -> None:
        self._shadow.labels(role, candidate, outcome).inc()

    def render(self) -> bytes:
        """Return the exposition text, https://prometheus.io/docs/instrumenting/exposition_formats/."""
        return generate_latest(self.registry)
