"""The three services and the start page in one process, on one port, under the gateway's paths."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

import doc_processor.app
import notes_service.app
import rag_service.app
from doc_processor.settings import DocProcessorSettings
from llm_providers import ProviderSettings, get_provider
from notes_service.settings import NotesSettings
from rag_service.settings import RagSettings
from service_kit.durable import Durable
from service_kit.metrics import Metrics
from service_kit.providers import POLICY
from service_kit.settings import load
from service_kit.state import service_state

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create(data_dir: Path, own_url: str) -> Starlette:
    """Return the app; `own_url` is where it will listen, as its services call each other over HTTP."""
    common = {"data_dir": data_dir, "doc_processor_url": f"{own_url}/doc-processor"}
    rag_settings = load(RagSettings).model_copy(update=common)
    notes_settings = load(NotesSettings).model_copy(update=common)
    processor_settings = load(DocProcessorSettings).model_copy(update={"data_dir": data_dir})
    observed = Metrics()
    providers = get_provider(ProviderSettings.from_env(), observed, data_dir / POLICY)
    durable = Durable.sqlite(data_dir.resolve() / "jobs.db")
    services: dict[str, FastAPI] = {
        "/rag": rag_service.app.create(rag_settings, providers, durable, observed),
        "/notes": notes_service.app.create(notes_settings, providers, durable),
        "/doc-processor": doc_processor.app.create(processor_settings, providers),
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

    page = files("switchyard").joinpath("web/index.html").read_text()

    async def index(_: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

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

    routes = [Route("/", index), Route("/livez", livez), Route("/readyz", readyz)]
    return Starlette(routes=[*routes, *(Mount(path, service) for path, service in services.items())], lifespan=lifespan)
