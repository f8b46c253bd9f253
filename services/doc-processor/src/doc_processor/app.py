"""The app factory of the doc-processor: the only module that knows its concrete parts."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI

from doc_processor import programs
from doc_processor.llamaparse import LlamaParse
from doc_processor.metrics import PageMetrics
from doc_processor.page_budget import PageBudget
from doc_processor.page_reader import PageReader
from doc_processor.parsers.base import ParseLimits
from doc_processor.processor import Processor, own_folder
from doc_processor.routes import router
from doc_processor.settings import DocProcessorSettings
from doc_processor.vision import Transcriber
from doc_processor.workers.pool import PoolSettings, WorkerPool
from llm_providers.types import Role
from service_kit import providers as provider_kit
from service_kit.app import SharedParts, create_app
from service_kit.health import HealthCheck
from service_kit.state import service_state

log = structlog.get_logger(__name__)
# Tesseract and poppler give up before the worker is killed, so that a slow page still gets what was read of it.
_OCR_SHARE = 0.8


def create(settings: DocProcessorSettings, shared: SharedParts | None = None) -> FastAPI:
    """Make the service; a process that runs several services passes what they share."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            service = service_state(app)
            await programs.check_languages(settings.ocr_languages)
            providers = await stack.enter_async_context(provider_kit.opened(app, shared, set(), roles={Role.VISION}))
            # A folder of its own, since workers may read and write all of it.
            work_dir = stack.enter_context(own_folder(settings.work_dir or Path(tempfile.gettempdir())))
            figures = settings.vision_figures if providers.vision is not None else 0
            pool = WorkerPool(pool_settings(settings, work_dir, figures=figures > 0))
            stack.push_async_callback(pool.aclose)
            transcriber = (
                Transcriber(providers.vision, settings.vision_timeout_seconds) if providers.vision is not None else None
            )
            reader = PageReader(pool, transcriber, settings.vision_below_confidence)
            metrics = PageMetrics(service.metrics.registry)
            hosted = await stack.enter_async_context(hosted_parser(settings))
            seconds = settings.document_timeout_seconds
            app.state.processor = Processor(pool, reader, hosted, metrics, work_dir, seconds, figures)
            service.health.checks += [HealthCheck("ocr", programs.check_programs)]
            described = service.health.report
            service.health.report = lambda: {**described(), "llamaparse": hosted.report() if hosted else None}
            yield

    return create_app(
        name="doc-processor",
        description="Files in, text by page out.",
        settings=settings,
        routers=(router, provider_kit.router),
        lifespan=lifespan,
        uploads=("/v1/process", "/v1/view"),
    )


@asynccontextmanager
async def hosted_parser(settings: DocProcessorSettings) -> AsyncGenerator[LlamaParse | None, None]:
    """Open the client of LlamaParse; None without a key or without consent, and then nothing of it is imported."""
    if settings.llama_cloud_api_key is None or not settings.llamaparse_consent:
        yield None
        return
    from llama_cloud import AsyncLlamaCloud

    log.warning("documents are sent to LlamaParse: they leave this machine", to=settings.llama_cloud_base_url)
    key = settings.llama_cloud_api_key.get_secret_value()
    # Ours are the deadline and what happens after a failure.
    async with AsyncLlamaCloud(
        api_key=key, base_url=settings.llama_cloud_base_url, max_retries=0, timeout=60
    ) as client:
        budget = PageBudget(settings.data_dir / "llamaparse" / "pages.db", settings.llamaparse_pages_a_day)
        yield LlamaParse(client, budget, settings.llamaparse_tier, settings.llamaparse_timeout_seconds)


def pool_settings(settings: DocProcessorSettings, work_dir: Path, *, figures: bool = False) -> PoolSettings:
    limits = ParseLimits(
        max_pages=settings.max_pages,
        max_image_pixels=settings.max_image_megapixels * 1_000_000,
        render_dpi=settings.render_dpi,
        ocr_languages=settings.ocr_languages,
        ocr_seconds=settings.page_timeout_seconds * _OCR_SHARE,
        hidden_text=settings.hidden_text,
        figures=figures,
    )
    return PoolSettings(
        size=settings.workers,
        scratch=work_dir,
        limits=limits,
        memory_bytes=settings.worker_memory_mb << 20,
        task_seconds=settings.page_timeout_seconds,
        idle_seconds=settings.worker_idle_seconds,
    )
