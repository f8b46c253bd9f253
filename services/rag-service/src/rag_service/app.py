"""The rag-service, put together: the only module that sees its concrete parts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import httpx2
import structlog
from fastapi import FastAPI

from llm_providers.errors import ProviderError
from llm_providers.providers import Providers
from llm_providers.spaces import EmbeddingFallback, ParityRecords
from llm_providers.types import Role
from rag_service import keyword
from rag_service.aggregation import TableAnswers
from rag_service.chunking import Chunker
from rag_service.conversations import Conversations
from rag_service.documents import DEFAULT, Documents, follow_job, visible
from rag_service.graph import GraphService
from rag_service.index_build import KIND, IndexBuild
from rag_service.indexes import Indexes, PolicyEmbeddings
from rag_service.ingestion import Ingestion
from rag_service.live import LiveAnswers
from rag_service.metrics import JOB_UNITS, SearchMetrics
from rag_service.page_views import PageViews
from rag_service.parity import ParityTest
from rag_service.questions import Questions
from rag_service.reports import Reports
from rag_service.retrieval import Retriever
from rag_service.rewriting import Rewriter
from rag_service.routes import ROUTERS, TEXT_BYTES
from rag_service.routes.openai.middleware import OpenAIErrors
from rag_service.settings import RagSettings
from rag_service.state import RagState
from rag_service.summaries import Summaries
from rag_service.tables import Job
from rag_service.vectors import VectorStore
from service_kit import access, oidc, shared_counters
from service_kit import providers as provider_kit
from service_kit.app import SharedParts, create_app
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.errors import UpstreamUnavailable
from service_kit.health import HealthCheck
from service_kit.jobs import Jobs
from service_kit.metrics import JobMetrics, Metrics
from service_kit.originals import Originals
from service_kit.output_guard import GuardMetrics, GuardModes
from service_kit.processor import DocProcessor
from service_kit.state import ServiceState, service_state

log = structlog.get_logger(__name__)
REQUIRED = {Role.TEXT, Role.EMBEDDINGS}


def create(settings: RagSettings, shared: SharedParts | None = None) -> FastAPI:
    """Make the service; a process that runs several services passes what they share."""
    engine = shared.durable if shared else Durable.beside(settings.data_dir, "rag", settings.database_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            service = service_state(app)
            providers = await stack.enter_async_context(provider_kit.opened(app, shared, REQUIRED))
            database = Database.beside(settings.data_dir, "rag", settings.database_url)
            stack.push_async_callback(database.aclose)
            await database.migrate("rag_service")
            await stack.enter_async_context(shared_counters.shared(service.counters, database))
            vectors = VectorStore.open(settings.chroma_url, settings.data_dir / "chroma")
            stack.push_async_callback(vectors.aclose)
            client = await stack.enter_async_context(httpx2.AsyncClient())
            parity = ParityRecords(providers.policy.folder)
            fallback = EmbeddingFallback(PolicyEmbeddings(providers), parity, _count(service.metrics))
            indexes = Indexes(database, vectors, fallback)
            state, ingestion = _assemble(settings, providers, indexes, engine, client, service)
            app.state.rag = state
            stack.push_async_callback(state.live.aclose)
            await state.documents.ensure_collection(DEFAULT)
            await indexes.adopt()
            await ingestion.index_words()
            try:
                await state.documents.finish_deletes()
                await state.index_build.delete_dropped()
            except UpstreamUnavailable as error:
                # What is marked as deleted is not shown; the next start removes the rest of it.
                log.warning("deletes wait for the next start", error=error.detail)

            async def resume() -> None:
                await state.jobs.start_forgotten()
                vectors.connect_soon()

            tasks = ingestion.task(settings.ingest_concurrency), ingestion.reread_task(), state.index_build.task()
            engine.add(*tasks, resume=resume)
            if shared is None:
                stack.push_async_callback(engine.aclose)
                await engine.launch()
            yield

    return create_app(
        name="rag-service",
        description="Documents in, cited answers out.",
        settings=settings,
        routers=(*ROUTERS, access.router, provider_kit.router),
        lifespan=lifespan,
        metrics=shared.metrics if shared else None,
        around=OpenAIErrors,
        open_router=oidc.routes(settings),
        uploads=("/v1/documents",),
        texts=TEXT_BYTES,
    )


def _assemble(
    settings: RagSettings,
    providers: Providers,
    indexes: Indexes,
    engine: Durable,
    client: httpx2.AsyncClient,
    service: ServiceState,
) -> tuple[RagState, Ingestion]:
    database, vectors = indexes.database, indexes.vectors
    originals = Originals(settings.data_dir / "originals")
    words = keyword.for_dialect(database.dialect)
    metrics = JobMetrics(service.metrics.registry, JOB_UNITS)
    jobs = Jobs(database, engine, Job, visible, partial(follow_job, words), metrics, admin_kinds=(KIND,))
    service.metrics.before_render(jobs.count)
    service.health.checks += [HealthCheck("database", database.check), HealthCheck("vector-index", vectors.check)]
    search_metrics = SearchMetrics(service.metrics.registry)
    retriever = Retriever(
        database,
        words,
        indexes,
        providers.rerank,
        providers.token_reranker,
        GraphService(client, settings.graph_service_url, service.keys.service_token()),
        settings.graph_search,
        search_metrics,
        settings.candidates,
        settings.rerank_top,
    )
    conversations = Conversations(database)
    index_build = IndexBuild(jobs, indexes)
    processor = DocProcessor(client, settings.doc_processor_url, service.keys.service_token())

    def chunker() -> Chunker:
        return Chunker(settings.chunk_tokens, settings.chunk_overlap_tokens)

    documents = Documents(database, originals, words, vectors, jobs)
    jobs.on_cancelled = documents.forget_cancelled
    state = RagState(
        settings,
        documents,
        originals,
        jobs,
        retriever,
        Questions(
            providers.text,
            retriever,
            Rewriter(providers.text, settings.query_wordings),
            TableAnswers(database),
            Summaries(database, providers.text),
            conversations,
            settings.top_k,
            settings.max_answer_tokens,
            settings.grounding,
            GuardModes.of(settings),
            GuardMetrics(service.metrics.registry, service.audit),
            providers.vision,
        ),
        conversations,
        LiveAnswers(),
        PageViews(database, originals, processor),
        index_build,
        ParityTest(indexes, index_build),
        Reports(settings.data_dir / "reports"),
    )
    return state, Ingestion(database, jobs, originals, processor, chunker, documents, words, indexes)


def _count(metrics: Metrics) -> Callable[[str, str, ProviderError], None]:
    def on_fallback(origin: str, target: str, error: ProviderError) -> None:
        reason = type(error).__name__
        log.warning("embeddings of another backend", from_backend=origin, to_backend=target, reason=reason)
        metrics.on_fallback(Role.EMBEDDINGS, origin, target, reason)

    return on_fallback
