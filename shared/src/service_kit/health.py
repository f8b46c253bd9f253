"""`/livez`, `/readyz` and `/health`, which need no key, and `/metrics`, which does unless METRICS_NEED_KEY is false."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from service_kit.auth import principal_of
from service_kit.keys import Grant
from service_kit.metrics import Metrics
from service_kit.problems import problem

_SECONDS = 2


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A check of something that the service needs; `run` raises while it is not available."""

    name: str
    run: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Health:
    """The state of a service; `checks` and `report` are filled in while it starts."""

    service: str
    version: str
    started: float = field(default_factory=monotonic)
    checks: list[HealthCheck] = field(default_factory=list)
    report: Callable[[], dict[str, Any]] = dict
    up: bool = False

    async def failures(self) -> dict[str, dict[str, Any]]:
        if not self.up:
            return {"start": {"detail": "the service is starting", "retry_after": 1.0}}
        failures: dict[str, dict[str, Any]] = {}
        for check in self.checks:
            try:
                await check.run()
            except Exception as error:  # whatever a check raises means: not ready
                described = problem(error)
                failures[check.name] = {
                    key: described[key] for key in ("type", "detail", "retry_after") if key in described
                }
        return failures


def router(health: Health, metrics: Metrics) -> APIRouter:
    """Make the routes that report `health`."""
    routes = APIRouter(tags=["health"])

    async def show_checks() -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                failed = await health.failures()
        except TimeoutError:
            metrics.on_checks((), {"in-time": None})
        else:
            metrics.on_checks([check.name for check in health.checks] if health.up else (), failed)

    metrics.before_render(show_checks)

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        """Say that the process runs."""
        return {"status": "alive"}

    @routes.get("/readyz", responses={503: {"description": "Not ready; says why, with Retry-After"}})
    async def readyz() -> JSONResponse:
        """Say whether every required role has produced a real token or vector recently, and storage works."""
        failures = await health.failures()
        if not failures:
            return JSONResponse({"status": "ready"})
        wait = max(float(failure.get("retry_after", 1)) for failure in failures.values())
        body = {"status": "not ready", "failures": failures}
        return JSONResponse(body, status_code=503, headers={"Retry-After": str(max(1, round(wait)))})

    @routes.get("/health")
    async def health_page() -> dict[str, Any]:
        """Describe the service: version, uptime, readiness, and the active provider per role."""
        failures = await health.failures()
        return {
            "service": health.service,
            "version": health.version,
            "status": "not ready" if failures else "ready",
            "failures": failures,
            "uptime_seconds": round(monotonic() - health.started, 1),
            **health.report(),
        }

    @routes.get("/metrics", response_class=Response)
    async def metrics_page(request: Request) -> Response:
        """Expose Prometheus metrics; with METRICS_NEED_KEY to keys with the grant `providers`, and to admins."""
        if (principal := principal_of(request.scope)) is not None:
            principal.require_grant(Grant.PROVIDERS)
        return Response(await metrics.current(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
