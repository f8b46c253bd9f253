"""The smallest real work that shows a backend to be alive: one token, one vector, one rank."""

from __future__ import annotations

from contextlib import aclosing

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import InvalidResponse
from llm_providers.types import ChatRequest, Done, EmbedKind, Message, Thought, Token

_ONE_TOKEN = ChatRequest((Message("user", "Say yes."),), max_tokens=1, temperature=0.0)


async def probe_chat(provider: LLMProvider, deadline: Deadline) -> None:
    """Generate one token, of an answer or of the reasoning before it; raises what `chat` raises, and `InvalidResponse`."""
    produced = False
    async with aclosing(provider.chat(_ONE_TOKEN, deadline)) as stream:
        async for event in stream:
            if isinstance(event, Thought):
                # One token is proof enough; the rest may be long.
                return
            # One token may be half a character, which shows in the count alone.
            produced |= isinstance(event, Token) or (isinstance(event, Done) and event.usage.completion_tokens > 0)
    if not produced:
        raise InvalidResponse("the model produced no token", backend=provider.name)


async def probe_embeddings(provider: EmbeddingProvider, deadline: Deadline) -> None:
    """Make one vector; raises what `embed` raises."""
    await provider.embed(["probe"], EmbedKind.QUERY, deadline)


async def probe_rerank(provider: RerankProvider, deadline: Deadline) -> None:
    """Rank two documents; raises what `rerank` raises."""
    await provider.rerank("probe", ["probe", "other"], 1, deadline)
