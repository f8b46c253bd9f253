"""`/v1/embeddings`: vectors of the model in use, or of a collection's index."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from llm_providers.deadline import Deadline
from llm_providers.providers import Providers
from llm_providers.tokens import estimate_tokens
from llm_providers.types import EmbedKind, Vectors, same_model
from rag_service.indexes import BATCH
from rag_service.routes.openai.models import EMBEDDINGS
from rag_service.routes.openai.parameters import refuse_unsupported
from rag_service.routes.openai.schemas import EmbeddingsIn
from rag_service.state import Rag, RagState
from rag_service.tables import Index
from service_kit.auth import Principal, Spending, User
from service_kit.errors import InvalidInput, NotFound
from service_kit.state import Opened

router = APIRouter()
MAX_TEXTS = 2048
MAX_CHARACTERS = 1_000_000
_UNUSED = frozenset({"user"})
Embed = Callable[[list[str]], Awaitable[Vectors]]


@router.post("/embeddings", response_model=None)
async def create_embeddings(given: EmbeddingsIn, rag: Rag, providers: Opened, user: User, budget: Spending) -> Response:
    """Turn texts into vectors of unit length, in the order of the input; a text too long for the model is read in parts.

    At most 2,048 texts and 1,000,000 characters. The model is `switchyard/embeddings`, the name of a collection (whose
    index then is what the vectors may be compared with), or the name of the model of either. Tokens are estimated.
    """
    refuse_unsupported(given.model_extra or {}, _UNUSED)
    texts = _texts(given.input)
    deadline = Deadline.after(rag.settings.query_timeout_seconds)
    embed, dimension = await _embedder(given, rag, providers, user, deadline)
    if given.dimensions not in (None, dimension):
        raise InvalidInput(f"dimensions: this model has {dimension}, which can't be changed", field="dimensions")
    with budget.generation():
        batches = [await embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    tokens = sum(estimate_tokens(text) for text in texts)
    budget.spend(tokens)
    # In a thread: so many numbers take a while to write.
    return await asyncio.to_thread(_answer, given, np.concatenate(batches), tokens)


def _answer(given: EmbeddingsIn, vectors: Vectors, tokens: int) -> JSONResponse:
    encoded = (
        [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
        if given.encoding_format == "base64"
        else vectors.tolist()
    )
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(encoded)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "data": data, "model": given.model, "usage": usage})


def _texts(given: Any) -> list[str]:
    """Return the texts without what no model reads; raises `InvalidInput` for tokens, emptiness and too much."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or len(texts) > MAX_TEXTS:
        raise InvalidInput(f"input: must be a text, or a list of 1 to {MAX_TEXTS} texts", field="input")
    if any(isinstance(text, int | list) for text in texts):
        raise InvalidInput(
            "input: send texts, not token ids: they are of another model's tokenizer "
            "(LangChain: check_embedding_ctx_length=False)",
            field="input",
        )
    if not all(isinstance(text, str) for text in texts):
        raise InvalidInput("input: must be a text, or a list of texts", field="input")
    texts = [text.replace("\x00", "") for text in texts]
    if not all(text.strip() for text in texts):
        raise InvalidInput("input: a text is empty", field="input")
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise InvalidInput(f"input: more than {MAX_CHARACTERS:,} characters", field="input")
    return texts


async def _embedder(
    given: EmbeddingsIn, rag: RagState, providers: Providers, user: Principal, deadline: Deadline
) -> tuple[Embed, int]:
    """Return what makes vectors of the model, and their dimension; raises `NotFound`, and what the backend raises."""
    kind, indexes = EmbedKind(given.input_type), rag.retriever.indexes
    if given.model != EMBEDDINGS and (index := await _index(given.model, rag, user)) is not None:
        space = await indexes.space(index)
        return lambda texts: indexes.fallback.embed(space, texts, kind, deadline), space.space.model.dimension
    current = await providers.embeddings.embedding_model(deadline)
    if given.model != EMBEDDINGS and not same_model(given.model, current.model):
        raise NotFound(f"there is no embedding model {given.model!r}; use {EMBEDDINGS}, or a collection", field="model")
    return lambda texts: providers.embeddings.embed(texts, kind, deadline), current.dimension


async def _index(model: str, rag: RagState, user: Principal) -> Index | None:
    """Return the index of the collection of this name, or the first of the caller's that has a model of this name."""
    active = rag.retriever.indexes.active
    names = [collection.name for collection, _ in await rag.documents.collections(user)]
    if model in names:
        if (index := await active(model)) is None:
            raise NotFound(f"the collection {model!r} has no vectors yet: add a document to it", field="model")
        return index
    for name in names:
        if (index := await active(name)) is not None and same_model(model, index.model["model"]):
            return index
    return None
