"""The smallest real work that shows a backend to be alive: one token, one vector, one rank."""

from __future__ import annotations

from contextlib import aclosing

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.types import ChatRequest, EmbedKind, Message

_ONE_TOKEN = ChatRequest((Message("user", "Say yes."),), max_tokens=1, temperature=0.0)


async def probe_chat(provider: LLMProvider, deadline: Deadline) -> None:
    """Generate one token; raises what `chat` raises."""
    async with aclosing(provider.chat(_ONE_TOKEN, deadline)) as stream:
        async for _ in stream:
            pass


async def probe_embeddings(provider: EmbeddingProvider, deadline: Deadline) -> None:
    """Make one vector; raises what `embed` raises."""
    await provider.embed(["probe"], EmbedKind.QUERY, deadline)


async def probe_rerank(provider: RerankProvider, deadline: Deadline) -> None:
    """Rank two documents; raises what `rerank` raises."""
    await provider.rerank("probe", ["probe", "other"], 1, deadline)
