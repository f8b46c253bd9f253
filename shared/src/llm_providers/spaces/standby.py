"""Vectors in the space of an index: from the backend that made it, or from one that was proven to make the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError, SpaceMismatch, Unavailable
from llm_providers.routing.long_texts import LongTexts
from llm_providers.spaces.records import ParityRecords, Side
from llm_providers.spaces.verified import Verified
from llm_providers.types import EmbedKind, Vectors


class Embedders(Protocol):
    """The embedding backends of a process."""

    @property
    def stable(self) -> str:
        """The backend that serves whoever has no reason to ask another."""
        ...

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The backends that may stand in, in order."""
        ...

    def embedder(self, backend: str) -> EmbeddingProvider:
        """Return the one of that name, which answers a batch as one; raises `NotConfigured`."""
        ...


@dataclass(frozen=True)
class StandIn:
    """Told of each answer that another backend gave."""

    from_backend: str
    to_backend: str
    reason: str


class Standby:
    """Embeds in given spaces. A fallback is asked only if its parity with the space is on record, and is held to it."""

    def __init__(
        self, embedders: Embedders, records: ParityRecords, stood_in: Callable[[StandIn], None] = lambda _: None
    ) -> None:
        self.embedders, self.records = embedders, records
        self._stood_in = stood_in
        self._verified: dict[tuple[str, str], EmbeddingProvider] = {}

    async def embed(self, home: Side, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return vectors in the space of `home`; raises what its backend raised if nobody may or can stand in."""
        try:
            return await self.verified(home).embed(texts, kind, deadline)
        except (Unavailable, SpaceMismatch) as error:
            reason = error
        for backend in self.embedders.fallbacks:
            space = None if backend == home.backend else self.records.stand_in(home.space, backend)
            if space is None:
                continue
            try:
                vectors = await self.verified(Side(backend, space)).embed(texts, kind, deadline)
            except ProviderError:
                continue
            self._stood_in(StandIn(home.backend, backend, type(reason).__name__))
            return vectors
        raise reason

    def verified(self, side: Side) -> EmbeddingProvider:
        """Return the backend, held to the space; raises `NotConfigured`."""
        key = (side.backend, side.space.digest)
        if key not in self._verified:
            # Long texts are split outside of it, so that each part's answer is verified.
            self._verified[key] = LongTexts(Verified(self.embedders.embedder(side.backend), side.space))
        return self._verified[key]
