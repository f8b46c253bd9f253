"""`/v1/collections`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from rag_service.routes.indexes import index_out
from rag_service.schemas import (
    CollectionChange,
    CollectionDetail,
    CollectionIn,
    CollectionName,
    CollectionOut,
    DeletedOut,
)
from rag_service.state import Rag
from rag_service.tables import Collection
from service_kit.auth import Admin, User

router = APIRouter(prefix="/v1", tags=["collections"])


def _out(row: Collection, documents: int, model: dict[str, Any] | None) -> CollectionOut:
    return CollectionOut(
        name=row.name,
        description=row.description,
        grounding=row.grounding,
        documents=documents,
        embedding_model=model,
        created=row.created,
    )


@router.post("/collections", status_code=201)
async def add_collection(given: CollectionIn, rag: Rag, user: User) -> CollectionOut:
    """Make a collection; adding a document to a new name does so too."""
    user.require(given.name)
    return _out(await rag.documents.ensure_collection(given.name, given.description, given.grounding), 0, None)


@router.get("/collections")
async def list_collections(rag: Rag, user: User) -> list[CollectionOut]:
    """List the collections that the key may use."""
    models = await rag.index_build.models()
    return [_out(row, count, models.get(row.name)) for row, count in await rag.documents.collections(user)]


@router.get("/collections/{name}")
async def get_collection(name: CollectionName, rag: Rag, user: User) -> CollectionDetail:
    """Describe a collection, with its indexes: by which backend and model each is made, and how far it is."""
    await rag.documents.require_collection(name, user)
    model = (await rag.index_build.models()).get(name)
    found = next(_out(row, n, model) for row, n in await rag.documents.collections(user) if row.name == name)
    states = await rag.index_build.states(name)
    return CollectionDetail(**dict(found), indexes=[index_out(state) for state in states])


@router.patch("/collections/{name}")
async def change_collection(name: CollectionName, given: CollectionChange, rag: Rag, admin: Admin) -> CollectionDetail:
    """Change a collection's description, or what becomes of unsupported sentences in its answers."""
    await rag.documents.require_collection(name, admin)
    if changes := given.model_dump(exclude_unset=True):
        await rag.documents.change_collection(name, changes)
    return await get_collection(name, rag, admin)


@router.delete("/collections/{name}")
async def delete_collection(name: CollectionName, rag: Rag, admin: Admin) -> DeletedOut:
    """Delete a collection with everything in it."""
    await rag.documents.require_collection(name, admin)
    return DeletedOut.model_validate(await rag.documents.delete_collection(name))
