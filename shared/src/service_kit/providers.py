"""A service's providers: opened by whoever runs the process, shown at `/v1/providers` and `/health`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, Request

from llm_providers import get_provider
from llm_providers.providers import Providers
from llm_providers.readiness import State
from llm_providers.types import Role
from service_kit.auth import User
from service_kit.errors import UpstreamUnavailable
from service_kit.health import Check, Health


@asynccontextmanager
async def opened(app: FastAPI, shared: Providers | None, required: set[Role]) -> AsyncGenerator[Providers, None]:
    """Give the app its providers: those that the process shares, or its own, which are closed at the end."""
    own = None if shared is not None else get_provider(observer=app.state.metrics)
    providers = shared or own
    assert providers is not None
    app.state.providers = providers
    health: Health = app.state.health
    health.checks += [Check(role.value, _check(providers, role)) for role in sorted(required)]
    health.report = lambda: {"providers": describe(providers)}
    try:
        if own is not None:
            await own.readiness.start(required)
        yield providers
    finally:
        if own is not None:
            await own.aclose()


def _check(providers: Providers, role: Role) -> Callable[[], Any]:
    async def check() -> None:
        found = providers.readiness.roles().get(role)
        if found is None:
            raise UpstreamUnavailable(f"no backend serves {role.value}")
        if found.state is not State.READY:
            words = f"{role.value} is {found.state.value} for {found.elapsed:.0f} s: {found.detail}"
            raise UpstreamUnavailable(words, retry_after=found.retry_after)

    return check


def describe(providers: Providers) -> dict[str, Any]:
    """Describe, per role, the backend that is asked first, its model and state, and those that stand in for it."""
    readiness = providers.readiness.roles()
    described: dict[str, Any] = {}
    for role, status in providers.status().items():
        described[role.value] = {
            **asdict(status.active),
            "state": readiness[role].state.value if role in readiness else "not watched",
            "fallbacks": [asdict(fallback) for fallback in status.fallbacks],
        }
    return described


router = APIRouter(prefix="/v1/providers", tags=["providers"])


@router.get("")
async def get_providers(request: Request, user: User) -> dict[str, Any]:
    """Say which backend serves each role, with its model and the state of its breaker."""
    return describe(request.app.state.providers)
