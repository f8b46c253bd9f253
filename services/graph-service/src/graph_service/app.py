"""The app factory of the graph-service: the only module that knows its concrete parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from fastapi import FastAPI

from graph_service.building import GraphBuild
from graph_service.communities import Communities
from graph_service.entities import Entities
from graph_service.evidence import EvidenceSearch
from graph_service.export import Export
from graph_service.extraction.model import ModelExtractor
from graph_service.extraction.pace import Pace
from graph_service.extraction.patterns import PatternExtractor
from graph_service.following import Following
from graph_service.graphs import Graphs, follow_job, visible
from graph_service.metrics import JOB_UNITS, GraphMetrics
from graph_service.neighbourhood import Neighbourhoods
from graph_service.paths import Paths
from graph_service.rag import RagService
from graph_service.routes import GraphState, job_router, router
from graph_service.settings import GraphSettings
from graph_service.tables import Job
from llm_providers.types import Role
from service_kit import providers as provider_kit
from service_kit import shared_counters
from service_kit.app import SharedParts, create_app
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.health import HealthCheck
from service_kit.jobs import Jobs
from service_kit.metrics import JobMetrics
from service_kit.state import service_state

REQUIRED = {Role.TEXT}


def create(settings: GraphSettings, shared: SharedParts | None = None) -> FastAPI:
    """Make the service; a process that runs several services passes what they share."""
    engine = shared.durable if shared else Durable.beside(settings.data_dir, "graph", settings.graph_database_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            service = service_state(app)
            providers = await stack.enter_async_context(provider_kit.opened(app, shared, REQUIRED, roles=REQUIRED))
            database = Database.beside(settings.data_dir, "graph", settings.graph_database_url)
            stack.push_async_callback(database.aclose)
            await database.migrate("graph_service")
            await stack.enter_async_context(shared_counters.shared(service.counters, database))
            client = await stack.enter_async_context(httpx2.AsyncClient())
            metrics = JobMetrics(service.metrics.registry, JOB_UNITS)
            jobs = Jobs(database, engine, Job, visible, follow_job, metrics)
            service.metrics.before_render(jobs.count)
            rag = RagService(client, settings.rag_service_url, service.keys.service_token())
            patterns = PatternExtractor(settings.types)
            model = ModelExtractor(
                providers.text,
                patterns,
                settings.types,
                settings.kinds,
                settings.graph_answer_tokens,
                settings.graph_timeout_seconds,
                Pace(settings.graph_chunks_in_flight),
            )
            extractor = model if settings.graph_extraction == "model" else patterns
            counted = GraphMetrics(service.metrics.registry)
            build = GraphBuild(database, jobs, rag, extractor, patterns, counted, settings)
            graphs = Graphs(database, jobs, rag)
            app.state.graph = GraphState(
                graphs,
                Entities(database),
                Neighbourhoods(database),
                Communities(database),
                Paths(database),
                Export(database),
                EvidenceSearch(database, settings.types),
            )
            service.health.checks.append(HealthCheck("database", database.check))
            engine.add(build.task(), resume=jobs.start_forgotten)
            if shared is None:
                stack.push_async_callback(engine.aclose)
                await engine.launch()
            if settings.graph_follow_seconds:
                following = Following(database, rag, graphs, settings.graph_follow_seconds)
                stack.push_async_callback(_ended, asyncio.create_task(following.run(), name="following"))
            yield

    return create_app(
        name="graph-service",
        description="Documents in, entities and their relations out, each with its evidence.",
        settings=settings,
        routers=(router, job_router, provider_kit.router),
        lifespan=lifespan,
    )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
