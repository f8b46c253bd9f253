"""Indexes: `/v1/reindex` into another embedding space and back, and `/v1/providers/parity`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from rag_service.index_build import IndexState
from rag_service.schemas import IndexOut, ParityIn, ParityOut, ReindexIn, ReindexOut, RollbackIn, RollbackOut
from rag_service.state import Rag
from service_kit.auth import Admin

router = APIRouter(prefix="/v1", tags=["embedding spaces"])


def index_out(state: IndexState) -> IndexOut:
    """Describe an index."""
    index = state.index
    return IndexOut.model_validate(
        {
            "backend": index.backend,
            "model": index.model["model"],
            "dimension": index.model["dimension"],
            "status": index.status,
            "chunks_done": state.chunks_done,
            "chunks_total": state.chunks_total,
            "job_id": index.job_id,
        }
    )


@router.post("/reindex", status_code=202)
async def reindex(given: ReindexIn, rag: Rag, admin: Admin) -> ReindexOut:
    """Make a collection's vectors again from the stored text, in a new index beside the one that goes on answering.

    When the new one is full it takes over at once; the other is kept for a rollback. With `provider` the vectors are those
    of that backend: this is how a collection moves from one engine's embeddings to another's.
    """
    return ReindexOut(job_ids=[await rag.index_build.start(given.collection, given.provider)])


@router.post("/reindex/rollback")
async def rollback(given: RollbackIn, rag: Rag, admin: Admin) -> RollbackOut:
    """Let the collection's index before this one answer again, at once; a job adds what came since."""
    job = await rag.index_build.rollback(given.collection)
    states = await rag.index_build.states(given.collection)
    return RollbackOut(indexes=[index_out(state) for state in states], job_ids=[job] if job else [])


@router.post("/providers/parity")
async def parity(given: ParityIn, rag: Rag, admin: Admin) -> ParityOut:
    """Measure how alike the embeddings of two engines are; only if they are may one answer for the other."""
    result = await rag.parity.run(given.a, given.b, given.collection)
    return ParityOut(a=given.a, b=given.b, passed=result.passed, recorded=rag.parity.durable, **asdict(result))
