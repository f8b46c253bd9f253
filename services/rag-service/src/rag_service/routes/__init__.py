"""The rag-service's endpoints."""

from rag_service.routes import collections, conversations, documents, jobs, openai, query

ROUTERS = (documents.router, jobs.router, collections.router, query.router, conversations.router, openai.router)
