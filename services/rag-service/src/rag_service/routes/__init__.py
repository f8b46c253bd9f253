"""The rag-service's endpoints."""

from starlette.requests import Request

from rag_service.routes import collections, conversations, documents, indexes, openai, query
from rag_service.schemas import JobOut
from rag_service.tables import Job
from service_kit import jobs


def _jobs(request: Request) -> jobs.Jobs[Job]:
    found: jobs.Jobs[Job] = request.app.state.rag.jobs
    return found


ROUTERS = (
    documents.router,
    jobs.routes(_jobs, JobOut),
    collections.router,
    indexes.router,
    query.router,
    conversations.router,
    openai.router,
)
