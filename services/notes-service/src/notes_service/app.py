"""The app factory of the notes-service: the only module that knows its concrete parts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from fastapi import FastAPI

from llm_providers.deadline import Deadline
from llm_providers.types import Role
from notes_service.generation import NoteGeneration
from notes_service.notes import Notes, set_note_status, visible
from notes_service.routes import job_router, router
from notes_service.schemas import MAX_TEXT
from notes_service.settings import NotesSettings
from notes_service.structured_output import StructuredGenerator
from notes_service.tables import Job
from service_kit import providers as provider_kit
from service_kit import shared_counters
from service_kit.app import SharedParts, create_app
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.health import HealthCheck
from service_kit.jobs import Jobs
from service_kit.metrics import JobMetrics
from service_kit.originals import Originals
from service_kit.output_guard import GuardMetrics
from service_kit.processor import DocProcessor
from service_kit.state import service_state

REQUIRED = {Role.TEXT}
ROLES = {Role.TEXT, Role.EMBEDDINGS}
"""Embeddings only to compare a shadow's answers by."""
_INFO_SECONDS = 30


def create(settings: NotesSettings, shared: SharedParts | None = None) -> FastAPI:
    """Make the service; a process that runs several services passes what they share."""
    engine = shared.durable if shared else Durable.beside(settings.data_dir, "notes", settings.notes_database_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            service = service_state(app)
            providers = await stack.enter_async_context(provider_kit.opened(app, shared, REQUIRED, roles=ROLES))
            database = Database.beside(settings.data_dir, "notes", settings.notes_database_url)
            stack.push_async_callback(database.aclose)
            await database.migrate("notes_service")
            await stack.enter_async_context(shared_counters.shared(service.counters, database))
            client = await stack.enter_async_context(httpx2.AsyncClient())
            originals = Originals(settings.data_dir / "note-originals")
            metrics = JobMetrics(service.metrics.registry, {"note": ("parts",)})
            jobs = Jobs(database, engine, Job, visible, set_note_status, metrics)
            service.metrics.before_render(jobs.count)

            async def context_tokens() -> int:
                return (await providers.text.info(Deadline.after(_INFO_SECONDS))).context_tokens

            processor = DocProcessor(client, settings.doc_processor_url, service.keys.service_token())
            generator = StructuredGenerator(providers.text, settings.note_answer_tokens)
            guard = GuardMetrics(service.metrics.registry, service.audit)
            generation = NoteGeneration(
                database, jobs, originals, processor, generator, context_tokens, settings, guard
            )
            app.state.notes = Notes(database, originals, jobs)
            service.health.checks.append(HealthCheck("database", database.check))
            engine.add(generation.task(), resume=jobs.start_forgotten)
            if shared is None:
                stack.push_async_callback(engine.aclose)
                await engine.launch()
            yield

    return create_app(
        name="notes-service",
        description="Raw text in, structured notes out.",
        settings=settings,
        routers=(router, job_router, provider_kit.router),
        lifespan=lifespan,
        uploads=("/v1/notes",),
        # A character has at most 4 bytes.
        texts={"/v1/notes": 4 * MAX_TEXT},
    )
