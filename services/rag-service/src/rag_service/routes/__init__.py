"""The rag-service's endpoints."""

from starlette.requests import Request

from rag_service.reports import MAX_HTML
from rag_service.routes import collections, conversations, documents, indexes, openai, query, reports
from rag_service.routes.openai.embeddings import MAX_CHARACTERS
from rag_service.routes.openai.messages import MAX_IMAGE_BYTES, MAX_IMAGES
from rag_service.schemas import MAX_TEXT, JobOut
from rag_service.tables import Job
from service_kit import jobs
from service_kit.bodies import JSON_BYTES


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
    reports.router,
    openai.router,
)

_CHARACTER_BYTES = 4
_BASE64 = 4 / 3
TEXT_BYTES = {
    "/v1/documents": MAX_TEXT * _CHARACTER_BYTES,
    "/v1/reports": MAX_HTML * _CHARACTER_BYTES,
    "/v1/chat/completions": JSON_BYTES + int(MAX_IMAGES * MAX_IMAGE_BYTES * _BASE64),
    "/v1/embeddings": JSON_BYTES + MAX_CHARACTERS * _CHARACTER_BYTES,
}
"""Largest JSON body of the paths that take texts or images, from the limits of what is in it."""
