"""All services and the start page in one process, on one port, under the gateway's paths."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from uuid import uuid4

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from llm_providers import ProviderSettings, get_provider
from service_kit import problems
from service_kit.app import SharedParts
from service_kit.context import set_request_id
from service_kit.durable import Durable
from service_kit.metrics import Metrics
from service_kit.middleware import SecurityHeaders
from service_kit.providers import POLICY
from service_kit.settings import load
from service_kit.state import service_state
from switchyard import page
from switchyard.services import SERVICES, Service


def create(data_dir: Path, own_url: str) -> Starlette:
    """Return the app; `own_url` is where it will listen, as its services call each other over HTTP."""
    metrics = Metrics()
    providers = get_provider(ProviderSettings.from_env(), metrics, data_dir / POLICY)
    durable = Durable.sqlite(data_dir.resolve() / "jobs.db")
    shared = SharedParts(providers, durable, metrics)
    addresses = {f"{service.module}_url": f"{own_url}/{service.path}" for service in SERVICES}
    services = {
        f"/{service.path}": _create(service, {"data_dir": data_dir, **addresses}, shared) for service in SERVICES
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(providers.aclose)
            await providers.start()
            # Mounted apps' lifespans are not run by Starlette: https://github.com/encode/starlette/issues/649
            for service in services.values():
                await stack.enter_async_context(service.router.lifespan_context(service))
            stack.push_async_callback(durable.aclose)
            await durable.launch()
            yield

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        failures = {
            f"{path.strip('/')}.{name}": failure
            for path, service in services.items()
            for name, failure in (await service_state(service).health.failures()).items()
        }
        if failures:
            return JSONResponse({"status": "not ready", "failures": failures}, 503, headers={"Retry-After": "1"})
        return JSONResponse({"status": "ready"})

    routes = [*page.routes(), Route("/livez", livez), Route("/readyz", readyz)]
    return Starlette(
        routes=[*routes, *(Mount(path, service) for path, service in services.items())],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _on_http_exception},
        lifespan=lifespan,
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer as the services do; the request's id is theirs to give, and this one reached none of them."""
    set_request_id(uuid4().hex)
    return await problems.on_http_exception(request, error)


def _create(service: Service, known: Mapping[str, object], shared: SharedParts) -> FastAPI:
    """Import a service by its name and make its app; `known` are the settings that follow from the process."""
    settings_class = getattr(import_module(f"{service.module}.settings"), service.settings_class)
    update = {name: value for name, value in known.items() if name in settings_class.model_fields}
    app: FastAPI = import_module(f"{service.module}.app").create(load(settings_class).model_copy(update=update), shared)
    return app
