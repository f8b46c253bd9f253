"""LangChain's own objects for Ollama; needs the extra `langchain`."""

from __future__ import annotations

from langchain_ollama import ChatOllama, OllamaEmbeddings

from llm_providers.backends._embedders import Embedder
from llm_providers.types import EmbedKind


class PrefixedOllamaEmbeddings(OllamaEmbeddings):
    """`OllamaEmbeddings` that says to the model which texts are queries."""

    embedder: Embedder = Embedder()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return super().embed_documents(self.embedder.prefixed(texts, EmbedKind.DOCUMENT))

    def embed_query(self, text: str) -> list[float]:
        return super().embed_documents(self.embedder.prefixed([text], EmbedKind.QUERY))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await super().aembed_documents(self.embedder.prefixed(texts, EmbedKind.DOCUMENT))

    async def aembed_query(self, text: str) -> list[float]:
        return (await super().aembed_documents(self.embedder.prefixed([text], EmbedKind.QUERY)))[0]


def chat_model(url: str, model: str, keep_alive: str | int, max_context: int) -> ChatOllama:
    # LangChain cannot choose a context per call: the largest allowed, so that no prompt is cut in silence.
    return ChatOllama(base_url=url, model=model, keep_alive=keep_alive, num_ctx=max_context)


def embeddings_model(url: str, model: str, keep_alive: str | int, embedder: Embedder) -> PrefixedOllamaEmbeddings:
    return PrefixedOllamaEmbeddings(base_url=url, model=model, keep_alive=_seconds(keep_alive), embedder=embedder)


def _seconds(keep_alive: str | int) -> int:
    """Ollama's own notation ("5m", "-1") as seconds: LangChain's embeddings take nothing else."""
    text = str(keep_alive)
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    return int(text) if unit is None else int(float(text[:-1]) * unit)
