"""LangChain's own objects for an OpenAI-compatible server; needs the extra `langchain`."""

from __future__ import annotations

from typing import Any

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from llm_providers.backends._embedders import Embedder
from llm_providers.deadline import Timeouts
from llm_providers.types import EmbedKind


class PrefixedOpenAIEmbeddings(OpenAIEmbeddings):
    """`OpenAIEmbeddings` that says to the model which texts are queries."""

    embedder: Embedder = Embedder()

    def embed_documents(self, texts: list[str], chunk_size: int | None = None, **kwargs: Any) -> list[list[float]]:
        return super().embed_documents(self.embedder.prefixed(texts, EmbedKind.DOCUMENT), chunk_size, **kwargs)

    def embed_query(self, text: str, **kwargs: Any) -> list[float]:
        [prefixed] = self.embedder.prefixed([text], EmbedKind.QUERY)
        return super().embed_documents([prefixed], None, **kwargs)[0]

    async def aembed_documents(
        self, texts: list[str], chunk_size: int | None = None, **kwargs: Any
    ) -> list[list[float]]:
        return await super().aembed_documents(self.embedder.prefixed(texts, EmbedKind.DOCUMENT), chunk_size, **kwargs)

    async def aembed_query(self, text: str, **kwargs: Any) -> list[float]:
        [prefixed] = self.embedder.prefixed([text], EmbedKind.QUERY)
        return (await super().aembed_documents([prefixed], None, **kwargs))[0]


def chat_model(url: str, model: str, api_key: str, timeouts: Timeouts) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=url,
        model=model,
        api_key=SecretStr(api_key or "none"),
        timeout=timeouts.first_token,
        max_retries=0,
        # Without it a server of one's own sends no usage.
        stream_usage=True,
    )


def embeddings_model(
    url: str, model: str, api_key: str, timeouts: Timeouts, embedder: Embedder
) -> PrefixedOpenAIEmbeddings:
    return PrefixedOpenAIEmbeddings(
        openai_api_base=url,
        model=model,
        openai_api_key=SecretStr(api_key or "none"),
        request_timeout=timeouts.first_token,
        max_retries=0,
        # Otherwise it downloads OpenAI's tokenizer and sends token numbers.
        check_embedding_ctx_length=False,
        embedder=embedder,
    )
