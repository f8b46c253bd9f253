"""`/v1/collections`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from llm_providers.spaces import Fingerprint
from rag_service.schemas import CollectionIn, CollectionName, CollectionOut, DeletedOut, ReindexIn, ReindexOut
from rag_service.state import Rag
from rag_service.tables import Collection
from service_kit.auth import Admin, User

router = APIRouter(prefix="/v1", tags=["collections"])


def _out(row: Collection, documents: int) -> CollectionOut:
    return CollectionOut(
        name=row.name,
        description=row.description,
        documents=documents,
        embedding_model=asdict(Fingerprint.from_json(row.space).model) if row.space else None,
        created=row.created,
    )


@router.post("/collections", status_code=201)
async def add_collection(given: CollectionIn, rag: Rag, user: User) -> CollectionOut:
    """Make a collection; adding a document to a new name does so too."""
    user.require(given.name)
    return _out(await rag.documents.ensure_collection(given.name, given.description), 0)


@router.get("/collections")
async def list_collections(rag: Rag, user: User) -> list[CollectionOut]:
    """List the collections that the key may use."""
    return [_out(row, count) for row, count in await rag.documents.collections(user)]


@router.get("/collections/{name}")
async def get_collection(name: CollectionName, rag: Rag, user: User) -> CollectionOut:
    """Describe a collection, its embedding model included."""
    await rag.documents.require_collection(name, user)
    return next(_out(row, count) for row, count in await rag.documents.collections(user) if row.name == name)


@router.delete("/collections/{name}")
async def delete_collection(name: CollectionName, rag: Rag, admin: Admin) -> DeletedOut:
    """Delete a collection with everything in it."""
    await rag.documents.require_collection(name, admin)
    return DeletedOut.model_validate(await rag.documents.delete_collection(name))


@router.post("/reindex", status_code=202)
async def reindex(given: ReindexIn, rag: Rag, admin: Admin) -> ReindexOut:
    """Make a collection's vectors again from the stored text, with the embedding model in use; a job per document."""
    return ReindexOut(job_ids=await rag.reindexer.start(given.collection))
