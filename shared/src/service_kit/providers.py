"""A service's providers: opened for the process, shown and changed at `/v1/providers` and `/v1/engines`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from os import getpid
from pathlib import Path
from socket import gethostname
from time import perf_counter
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, FastAPI, Header, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from llm_providers import get_provider
from llm_providers.errors import ProviderError
from llm_providers.faults import words_of
from llm_providers.providers import Providers
from llm_providers.readiness import ReadinessState
from llm_providers.routing import Gates, InvalidPolicy, Policy, RolePolicy
from llm_providers.types import Role
from service_kit import engines
from service_kit.app import SharedParts
from service_kit.auth import Admin, User
from service_kit.errors import Forbidden, UpstreamUnavailable
from service_kit.figures import MinuteOut
from service_kit.health import HealthCheck
from service_kit.keys import Grant, Scope
from service_kit.requests import RequestBody
from service_kit.state import Opened, Service, service_state

M = TypeVar("M", bound=BaseModel)
POLICY = Path("policy", "policy.json")
"""Where in DATA_DIR the policy lies, unless POLICY_FILE says otherwise."""


@asynccontextmanager
async def opened(
    app: FastAPI, shared: SharedParts | None, required: set[Role], roles: Collection[Role] = tuple(Role)
) -> AsyncGenerator[Providers, None]:
    """Give the app its providers: those that the process shares, or its own for `roles`, closed at the end."""
    service = service_state(app)
    providers = (
        shared.providers if shared else get_provider(None, service.metrics, service.settings.data_dir / POLICY, roles)
    )
    app.state.providers = providers
    service.health.checks += [HealthCheck(role.value, _check(providers, role)) for role in sorted(required)]
    service.health.report = lambda: {
        "providers": describe(providers),
        "policy_revision": providers.policy.current.revision,
    }
    try:
        if shared is None:
            await providers.start(required)
        yield providers
    finally:
        if shared is None:
            await providers.aclose()


def _check(providers: Providers, role: Role) -> Callable[[], Any]:
    async def check() -> None:
        readiness = providers.readiness.roles().get(role)
        if readiness is None:
            raise UpstreamUnavailable(f"no engine serves {role.value}")
        if readiness.state is not ReadinessState.READY:
            words = f"{role.value} is {readiness.state.value} for {readiness.elapsed:.0f} s: {readiness.detail}"
            raise UpstreamUnavailable(words, retry_after=readiness.retry_after)

    return check


def describe(providers: Providers) -> dict[str, Any]:
    """Describe, per role, the engine that is called first, its model and state, and its fallbacks."""
    readiness = providers.readiness.roles()
    described: dict[str, Any] = {}
    for role, status in providers.status().items():
        described[role.value] = {
            **asdict(status.active),
            "state": readiness[role].state.value if role in readiness else "not watched",
            "fallbacks": [asdict(fallback) for fallback in status.fallbacks],
        }
    return described


def _partial(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model with the same fields, each optional."""
    fields: dict[str, Any] = {name: (field.annotation, None) for name, field in model.model_fields.items()}
    return create_model(f"{model.__name__}Change", __config__=ConfigDict(extra="forbid"), **fields)


RoleChange, GatesChange = _partial(RolePolicy), _partial(Gates)


class PolicyIn(RequestBody):
    """What is to change: whatever is left out stays as it is."""

    roles: dict[Role, RoleChange] = Field(default_factory=dict)  # type: ignore[valid-type]
    gates: GatesChange | None = None  # type: ignore[valid-type]


class ProvidersIn(RequestBody):
    """A change; `revision` is the one it was made from."""

    revision: int = Field(examples=[1])
    why: str = Field(min_length=1, max_length=500, examples=["vLLM is up"])
    policy: PolicyIn = Field(examples=[{"roles": {"text": {"stable": "vllm"}}}])


class CheckIn(RequestBody):
    role: Role = Role.TEXT
    backend: str


providers_router = APIRouter(prefix="/v1/providers", tags=["providers"])


async def pinned(
    user: User,
    backend: Annotated[
        str | None, Header(alias="X-Switchyard-Backend", description="Ask this backend and no other (admin keys only)")
    ] = None,
) -> str | None:
    """The backend that a request asks for by header; raises `Forbidden` for anybody but admins."""
    if backend and user.scope is not Scope.ADMIN:
        raise Forbidden("only an admin key may choose the backend", field="X-Switchyard-Backend")
    return backend or None


@providers_router.get("")
async def get_providers(providers: Opened, user: User) -> dict[str, Any]:
    """Return the policy, its last change, the engine that serves each role, and the figures of canary and shadow.

    The calls under way, and the windows and counts of canary and shadow, are those of the replica that answers:
    `replica` names it. It needs the grant `providers`, or an admin key.
    """
    user.require_grant(Grant.PROVIDERS)
    return _shown(providers)


@providers_router.get("/figures")
async def get_figures(service: Service, user: User) -> dict[str, dict[str, list[MinuteOut]]]:
    """Return what each engine did in each role in the last hour, minute by minute; of the replica that answers."""
    user.require_grant(Grant.PROVIDERS)
    return service.metrics.figures.shown()


@providers_router.put("")
async def put_providers(given: ProvidersIn, providers: Opened, user: Admin) -> dict[str, Any]:
    """Change the policy, for every service that shares its file; each follows within a second.

    409 if it has changed since `revision`, or is managed elsewhere; 422 for a backend that can't do what it is named for.
    """

    def changed(before: Policy) -> Policy:
        unknown = set(given.policy.roles) - set(before.roles)
        if unknown:
            raise InvalidPolicy(f"{', '.join(sorted(unknown))} is not served here", "roles")
        roles = {
            **before.roles,
            **{
                role: _changed(before.roles[role], wanted, f"roles.{role}")
                for role, wanted in given.policy.roles.items()
            },
        }
        gates = _changed(before.gates, given.policy.gates, "gates") if given.policy.gates else before.gates
        return before.model_copy(update={"roles": roles, "gates": gates})

    with engines.policy_errors("policy."):
        await providers.change(given.revision, changed, engines.changed_by(user), given.why)
    return _shown(providers)


def _changed(before: M, wanted: BaseModel, field: str) -> M:
    try:
        return type(before).model_validate({**before.model_dump(), **wanted.model_dump(exclude_unset=True)})
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join([field, *map(str, fault["loc"])])
        raise InvalidPolicy(words_of(fault), place) from error


@providers_router.post("/check")
async def check_backend(given: CheckIn, providers: Opened, user: Admin) -> dict[str, Any]:
    """Let one engine produce one real token, vector or rank, whatever the policy says; 503 if it can't."""
    begun = perf_counter()
    await providers.check(given.role, given.backend)
    model = providers.model(given.role, given.backend)
    return {"ok": True, "model": model, "seconds": round(perf_counter() - begun, 3)}


@providers_router.get("/audit")
async def get_audit(providers: Opened, user: Admin, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> dict[str, Any]:
    """List who changed the policy or the engines, when, why, and from what to what; newest first."""
    return {"items": await asyncio.to_thread(providers.policy.audit, limit)}


@providers_router.get("/environment")
async def get_environment(providers: Opened, user: Admin) -> dict[str, Any]:
    """Return what each engine says of itself: software, version, model, digest, quantisation, context."""
    about = await providers.about()
    return {
        name: {
            role: {"error": str(info)} if isinstance(info, ProviderError) else asdict(info)
            for role, info in roles.items()
        }
        for name, roles in about.items()
    }


def _shown(providers: Providers) -> dict[str, Any]:
    now = providers.policy.current
    trials = providers.trials()
    return {
        "revision": now.revision,
        "changed": now.changed.model_dump(mode="json"),
        "fault": providers.policy.fault,
        "policy": now.model_dump(mode="json", include={"roles", "gates"}),
        "roles": describe(providers),
        "backends": {name: sorted(roles) for name, roles in providers.backends().items()},
        "extractive": sorted(name for name, engine in providers.engines().items() if engine.extractive),
        "running": providers.running(),
        "replica": f"{gethostname()}:{getpid()}",
        "canary": {role: canary for role, (canary, _) in trials.items()},
        "shadow": {role: shadow for role, (_, shadow) in trials.items()},
    }


router = APIRouter()
router.include_router(providers_router)
router.include_router(engines.router)
