"""The app factory that every service uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType

import structlog
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from llm_providers.providers import Providers
from service_kit import health, problems
from service_kit.audit import routes as audit_routes
from service_kit.audit.log import FOLDER, AuditLog
from service_kit.audit.middleware import Acts, Refusals
from service_kit.auth import PROVIDER_SIGN_IN, Authentication, Authenticator, authenticated
from service_kit.bodies import BodyLimit
from service_kit.counters import Counters
from service_kit.durable import Durable
from service_kit.first_key import prepare_keys
from service_kit.keys import KeyStore
from service_kit.limits import Budgets, Strangers
from service_kit.metrics import Metrics
from service_kit.middleware import ForwardedPrefix, RequestContext, SecurityHeaders
from service_kit.sessions import Sessions
from service_kit.settings import ServiceSettings
from service_kit.state import ServiceState
from service_kit.summaries import summarise
from service_kit.uses import KeyUses

log = structlog.get_logger(__name__)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What the services of one process share; its owner starts the providers, launches the job engine and closes both.

    The job engine is launched once all services have added their tasks. `metrics` are those of the providers.
    """

    providers: Providers
    durable: Durable
    metrics: Metrics


def create_app(
    *,
    name: str,
    description: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    metrics: Metrics | None = None,
    around: Callable[[ASGIApp], ASGIApp] | None = None,
    uploads: Collection[str] = (),
    texts: Mapping[str, int] = MappingProxyType({}),
    open_router: APIRouter | None = None,
) -> FastAPI:
    """Make a service: everything needs a key but the health pages and the description of the API.

    `open_router` has routes that need none either; its callers have the allowance of strangers. `around` is a middleware that sees every answer, errors included. `uploads` and `texts` are the paths with large bodies (see `BodyLimit`). `lifespan` opens what the routes use, sets it on `app.state`, and adds its health checks (see `service_state`).
    """
    access = settings.data_dir / "auth"
    keys, sessions, uses = KeyStore(access), Sessions(access), KeyUses(access)
    metrics = metrics or Metrics()
    condition = health.Health(name, version(name))
    audit = AuditLog(settings.data_dir / FOLDER, name, settings.audit_retention)

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncGenerator[None, None]:
        audit.start()
        try:
            await asyncio.to_thread(prepare_keys, keys, settings, audit)
            async with uses.kept(), lifespan(app):
                condition.up = True
                log.info("up", service=name, version=condition.version)
                yield
                condition.up = False
        finally:
            await asyncio.to_thread(audit.close)
        log.info("down", service=name)

    # FastAPI's own pages load their scripts from a CDN, which a private network does not reach.
    app: FastAPI = FastAPIOffline(
        title=name,
        description=description,
        version=condition.version,
        lifespan=run,
        generate_unique_id_function=lambda route: route.name,
    )
    authenticate = Authenticator(keys, sessions, enabled=settings.auth_enabled)
    counters = Counters()
    app.state.service = ServiceState(settings, condition, metrics, keys, sessions, uses, counters, audit)
    problems.install(app)
    router = health.router(condition, metrics)
    sign_in = open_router or APIRouter()
    open_paths = {_path(route) for route in (*app.routes, *router.routes, *sign_in.routes)}
    if settings.metrics_need_key:
        open_paths.remove("/metrics")
    # The last to be added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, uploads=uploads, texts=texts)
    app.add_middleware(Acts, log=audit, with_text=settings.audit_questions == "text")
    app.add_middleware(
        Authentication,
        authenticate=authenticate,
        open_paths=open_paths,
        stranger_paths={path for path in map(_path, sign_in.routes) if path.startswith(PROVIDER_SIGN_IN)},
        strangers=Strangers(counters, settings.anonymous_requests_per_minute, settings.anonymous_requests_per_hour),
        budgets=Budgets(counters, settings.key_limits),
        uses=uses,
    )
    app.add_middleware(Refusals, log=audit)
    app.add_middleware(RequestContext, metrics=metrics)
    if around is not None:
        app.add_middleware(around)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ForwardedPrefix)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    for part in (*routers, audit_routes.router):
        app.include_router(part, dependencies=[authenticated])
    app.include_router(router)
    app.include_router(sign_in)
    summarise(app)
    return app


def _path(route: BaseRoute) -> str:
    """Return the path of a route; that of a folder ends in a slash."""
    assert isinstance(route, Route | Mount)
    return f"{route.path}/" if isinstance(route, Mount) else route.path


def _allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call (https://fetch.spec.whatwg.org/#http-cors-protocol); a preflight needs no key.

    Never with credentials: a key is sent by the page itself, so that `*` gives no page more than its user gave it.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        # SDKs send headers of their own (x-stainless-...).
        allow_headers=("*",),
        allow_credentials=False,
        expose_headers=("X-Request-ID", "X-Conversation-Id", "Retry-After"),
    )
