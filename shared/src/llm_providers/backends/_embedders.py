"""Embedding models: what is known of them beforehand, since no server tells it, and what their vectors must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llm_providers.errors import InvalidResponse
from llm_providers.types import EmbedKind, Vectors

_FOR_SEARCH = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True, slots=True)
class Embedder:
    """How a model wants its texts, from its model card."""

    pooling: str = "unknown"
    query_prefix: str = ""
    document_prefix: str = ""

    def prefixed(self, texts: Sequence[str], kind: EmbedKind) -> list[str]:
        prefix = self.query_prefix if kind is EmbedKind.QUERY else self.document_prefix
        return [prefix + text for text in texts]


# The first fragment found in a model's name decides.
_KNOWN: tuple[tuple[str, Embedder], ...] = (
    ("nomic-embed-text", Embedder("mean", "search_query: ", "search_document: ")),
    ("all-minilm", Embedder("mean")),
    ("mxbai-embed-large", Embedder("cls", _FOR_SEARCH)),
    ("snowflake-arctic-embed2", Embedder("cls", "query: ")),
    ("arctic-embed-l-v2", Embedder("cls", "query: ")),
    ("arctic-embed-m-v2", Embedder("cls", "query: ")),
    ("arctic-embed", Embedder("cls", _FOR_SEARCH)),
    ("multilingual-e5", Embedder("mean", "query: ", "passage: ")),
    ("e5-", Embedder("mean", "query: ", "passage: ")),
    ("bge-m3", Embedder("cls")),
    ("bge-", Embedder("cls", _FOR_SEARCH)),
    ("embeddinggemma", Embedder("mean", "task: search result | query: ", "title: none | text: ")),
)


def known_embedder(model: str) -> Embedder:
    """Look a model up by name; an unknown one gets its texts as they are."""
    name = model.lower()
    return next((embedder for fragment, embedder in _KNOWN if fragment in name), Embedder())


def unit_rows(rows: ArrayLike, count: int, backend: str) -> Vectors:
    """Return float32 of shape (count, dimension), rows of unit length; raises `InvalidResponse` where that can't be."""
    try:
        matrix = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InvalidResponse("the vectors differ in length", backend=backend) from error
    if matrix.ndim != 2 or matrix.shape[0] != count or matrix.shape[1] == 0:
        raise InvalidResponse(f"expected {count} vectors, got an array of shape {matrix.shape}", backend=backend)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise InvalidResponse("a vector is zero or not finite", backend=backend)
    unit: Vectors = matrix / lengths
    return unit
