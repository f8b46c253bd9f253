"""Parity of two backends' embeddings, on the probe texts and on a collection's own chunks."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from llm_providers.deadline import Deadline
from llm_providers.errors import NotConfigured
from llm_providers.spaces import BackendSpace, Parity, ParitySample, parity
from rag_service.index_build import IndexBuild
from rag_service.indexes import Indexes, embedding_text
from service_kit.errors import InvalidInput

_SAMPLE = 64
_QUERIES = 16
_SECONDS = 300
_SENTENCE = re.compile(r".{16,200}?[.!?](?=\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ParityTest:
    """Measures whether one backend may answer for another, and puts the result on record."""

    indexes: Indexes
    index_build: IndexBuild

    @property
    def durable(self) -> bool:
        """Whether the record outlives this process."""
        return self.indexes.fallback.records.durable

    async def run(self, a: str, b: str, collection: str | None) -> Parity:
        """Compare two backends; the record counts for the two spaces that they are in now.

        Raises `InvalidInput` for a backend without embeddings, `NotFound`, and what the backends raise.
        """
        fallback = self.indexes.fallback
        for field, name in (("a", a), ("b", b)):
            try:
                await fallback.backends.embedder(name)
            except NotConfigured as error:
                raise InvalidInput(str(error), field=field) from error
        sample = await self._sample(collection) if collection is not None else ParitySample()
        left, right = [BackendSpace(name, await self.indexes.fingerprint(name)) for name in (a, b)]
        # Held to their fingerprints: an engine that is replaced in the middle must not be recorded as another.
        first, second = [await fallback.verified(side) for side in (left, right)]
        result = await parity(first, second, Deadline.after(_SECONDS), sample)
        await asyncio.to_thread(fallback.records.add, left, right, result)
        return result

    async def _sample(self, collection: str) -> ParitySample:
        chunks = await self.index_build.sample(collection, _SAMPLE)
        documents = tuple(embedding_text(title, chunk.heading, chunk.text) for chunk, title in chunks)
        sentences = [match.group().strip() for chunk, _ in chunks if (match := _SENTENCE.search(chunk.text))]
        return ParitySample(documents, tuple(sentences[:_QUERIES]))
