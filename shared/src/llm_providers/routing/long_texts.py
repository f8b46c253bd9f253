"""Texts longer than an embedding model's context, whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_providers.base import EmbeddingProvider, EmbeddingWrapper
from llm_providers.deadline import Deadline
from llm_providers.errors import ContextLengthExceeded
from llm_providers.tokens import estimate_tokens
from llm_providers.types import EmbedKind, Vectors

_SMALLEST = 16


class LongTexts(EmbeddingWrapper):
    """Splits what does not fit and averages the parts' vectors by length, so that no text is dropped.

    A batch that is refused is halved until the text at fault is alone; that text is halved at whitespace.
    """

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        try:
            return await self._provider.embed(texts, kind, deadline)
        except ContextLengthExceeded as error:
            return await embed_in_parts(self, texts, kind, deadline, error)


async def embed_in_parts(
    provider: EmbeddingProvider, texts: Sequence[str], kind: EmbedKind, deadline: Deadline, error: ContextLengthExceeded
) -> Vectors:
    """Embed a batch that was refused with `error` by calling `provider`, which splits again where it must, on its parts."""
    if len(texts) > 1:
        middle = len(texts) // 2
        halves = [await provider.embed(half, kind, deadline) for half in (texts[:middle], texts[middle:])]
        return np.concatenate(halves)
    if len(texts) == 0 or len(texts[0]) < _SMALLEST:
        raise error
    parts = split_in_half(texts[0])
    vectors = np.concatenate([await provider.embed([part], kind, deadline) for part in parts])
    weights = np.array([max(1, estimate_tokens(part)) for part in parts], dtype=np.float32)
    mean = weights @ vectors
    length = float(np.linalg.norm(mean))
    # Parts that cancel out exactly have no mean direction: the first stands for all.
    whole: Vectors = (mean / length)[np.newaxis, :] if length > 0 else vectors[:1]
    return whole.astype(np.float32)


def split_in_half(text: str) -> tuple[str, str]:
    """Split at the whitespace nearest to the middle, or in the middle of a text that has none near it."""
    middle, reach = len(text) // 2, len(text) // 4
    for distance in range(reach):
        for at in (middle - distance, middle + distance):
            if text[at].isspace():
                return text[:at], text[at:]
    return text[:middle], text[middle:]
