"""What is known of embedding models beforehand: pooling and task prefixes, which no server tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm_providers.types import EmbedKind

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
