"""`/v1/models`: the collections, and the two names that no collection can have."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from rag_service.state import Rag
from service_kit.auth import User
from service_kit.keys import Grant

router = APIRouter()
DIRECT = "switchyard/direct"
"""The model itself, without documents."""
EMBEDDINGS = "switchyard/embeddings"
"""The embedding model in use now."""


@router.get("/models")
async def list_models(rag: Rag, user: User) -> dict[str, Any]:
    """List the collections as models, then `switchyard/direct` (with the grant `direct`) and `switchyard/embeddings`."""
    rows = [row for row, _ in await rag.documents.collections(user)]
    models = [_model(row.name, int(row.created.timestamp())) for row in rows]
    own = [_model(name, 0) for name in (DIRECT, EMBEDDINGS) if name != DIRECT or user.may(Grant.DIRECT)]
    return {"object": "list", "data": [*models, *own]}


@router.get("/models/{name:path}")
async def get_model(name: str, rag: Rag, user: User) -> dict[str, Any]:
    """Describe one collection as a model; a name may contain slashes."""
    if name == DIRECT:
        user.require_grant(Grant.DIRECT)
    if name in (DIRECT, EMBEDDINGS):
        return _model(name, 0)
    row = await rag.documents.require_collection(name, user)
    return _model(row.name, int(row.created.timestamp()))


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "switchyard"}
