"""Similarity of two answers by their embeddings, if the embedded model is available."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from llm_providers.backends.embedded import EmbeddedProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.types import EmbedKind
from switchyard.compare.quality import Pair

_SECONDS = 300


def with_cosines(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs with the cosine of their answers' embeddings, if the embedded model has been built."""
    if not pairs:
        return []
    texts = [text for pair in pairs for text in (pair.a.text, pair.b.text)]

    async def embed() -> list[float]:
        provider = EmbeddedProvider.open()
        try:
            vectors = await provider.embed(texts, EmbedKind.DOCUMENT, Deadline.after(_SECONDS))
        finally:
            await provider.aclose()
        return [float(vectors[each] @ vectors[each + 1]) for each in range(0, len(texts), 2)]

    try:
        cosines = asyncio.run(embed())
    except ProviderError:
        return list(pairs)
    return [replace(pair, cosine=cosine) for pair, cosine in zip(pairs, cosines, strict=True)]
