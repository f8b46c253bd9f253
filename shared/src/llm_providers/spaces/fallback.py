"""Vectors in the space of an index: from the backend that made it, or from one that was proven to make the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import SpaceMismatch, Unavailable
from llm_providers.routing.fallback import Failures
from llm_providers.spaces.comparison import BackendSpace, ParityRecords
from llm_providers.spaces.verified import Verified
from llm_providers.types import EmbedKind, Vectors

OnFallback = Callable[[str, str, Unavailable | SpaceMismatch], None]


class EmbeddingBackends(Protocol):
    """The embedding backends of a process, as its policy has them now."""

    @property
    def stable(self) -> str:
        """Return the backend for new indexes."""
        ...

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Return the backends that may answer for another, in order."""
        ...

    async def embedder(self, backend: str) -> EmbeddingProvider:
        """Return the one of that name, which answers a batch as one; raises `NotConfigured`."""
        ...

    async def in_process(self, backend: str) -> bool:
        """Whether its model can't be replaced while the process runs; raises `NotConfigured`."""
        ...


class EmbeddingFallback:
    """Embeds in given spaces. A fallback is used only if its parity with the space is on record, and is held to it."""

    def __init__(
        self,
        backends: EmbeddingBackends,
        records: ParityRecords,
        on_fallback: OnFallback = lambda _from, _to, _error: None,
    ) -> None:
        self.backends, self.records = backends, records
        self._on_fallback = on_fallback
        self._verified: dict[tuple[str, str], Verified] = {}

    async def embed(self, home: BackendSpace, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return vectors in the space of `home`; raises what its backend raised if no fallback may or can answer."""
        failures = Failures(swallowed=(Unavailable, SpaceMismatch))
        with failures.next(home.backend, deadline):
            return await (await self.verified(home)).embed(texts, kind, deadline)
        for backend in self.backends.fallbacks:
            space = None if backend == home.backend else self.records.equivalent(home.space, backend)
            if space is None:
                continue
            with failures.next(backend, deadline):
                vectors = await (await self.verified(BackendSpace(backend, space))).embed(texts, kind, deadline)
                first = failures.errors[0]
                assert isinstance(first, Unavailable | SpaceMismatch)
                self._on_fallback(home.backend, backend, first)
                return vectors
        raise failures.errors[0]

    async def verified(self, side: BackendSpace) -> EmbeddingProvider:
        """Return the backend, held to the space; raises `NotConfigured`."""
        key = (side.backend, side.space.digest)
        if key not in self._verified:
            replaceable = not await self.backends.in_process(side.backend)
            provider = await self.backends.embedder(side.backend)
            self._verified[key] = Verified(provider, side.space, replaceable=replaceable)
        return self._verified[key]
