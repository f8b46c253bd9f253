"""Parity of two backends, on the probe texts and on what a collection is made of."""

from __future__ import annotations

import asyncio
import re

from llm_providers.deadline import Deadline
from llm_providers.errors import NotConfigured
from llm_providers.spaces import BackendSpace, Parity, Sample, parity
from rag_service.reindex import Reindexer
from rag_service.spaces import Spaces
from rag_service.writing import embedding_text
from service_kit.errors import InvalidInput

_SAMPLE = 64
_QUERIES = 16
_SECONDS = 300
_SENTENCE = re.compile(r".{16,200}?[.!?](?=\s|$)", re.DOTALL)


class Comparer:
    """Measures whether one backend may stand in for another, and puts that on record."""

    def __init__(self, spaces: Spaces, reindexer: Reindexer) -> None:
        self._spaces = spaces
        self._reindexer = reindexer

    async def compare(self, a: str, b: str, collection: str | None) -> Parity:
        """Compare two backends; the record counts for the two spaces that they are in now.

        Raises `InvalidInput` for a backend that does not serve embeddings, `NotFound`, and what the backends raise.
        """
        backends = self._spaces.fallback.backends
        for field, name in (("a", a), ("b", b)):
            try:
                await backends.embedder(name)
            except NotConfigured as error:
                raise InvalidInput(f"{name!r} does not serve embeddings: {error}", field=field) from error
        sample = await self._sample(collection) if collection is not None else Sample()
        left, right = [BackendSpace(name, await self._spaces.fingerprint(name)) for name in (a, b)]
        # Held to their fingerprints: an engine that is replaced in the middle must not be recorded as another.
        first, second = [await self._spaces.fallback.verified(side) for side in (left, right)]
        found = await parity(first, second, Deadline.after(_SECONDS), sample)
        await asyncio.to_thread(self._spaces.fallback.records.add, left, right, found)
        return found

    async def _sample(self, collection: str) -> Sample:
        chunks = await self._reindexer.sample(collection, _SAMPLE)
        documents = tuple(embedding_text(title, chunk.heading, chunk.text) for chunk, title in chunks)
        sentences = [found.group().strip() for chunk, _ in chunks if (found := _SENTENCE.search(chunk.text))]
        return Sample(documents, tuple(sentences[:_QUERIES]))
