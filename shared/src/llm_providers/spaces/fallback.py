"""Vectors in the space of an index: from the backend that made it, or from one that was proven to make the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Protocol

import numpy as np

from llm_providers.base import EmbeddingProvider, LateInteraction, Wrapper
from llm_providers.deadline import Deadline
from llm_providers.errors import ContextLengthExceeded, SpaceMismatch, Unavailable
from llm_providers.routing.fallback import Failures
from llm_providers.routing.long_texts import embed_in_parts
from llm_providers.spaces.comparison import BackendSpace, ParityRecords
from llm_providers.spaces.fingerprint import MIN_COSINE, PROBES, Fingerprint, places, row_cosines
from llm_providers.types import EmbeddingModel, EmbedKind, Vectors


class Verified(Wrapper[EmbeddingProvider]):
    """Returns vectors of one space only: a probe text is added to every batch, and its vector is compared.

    An engine with other vectors behind the same address is noticed in the very answer that would have been used: it
    raises `SpaceMismatch`. The first answer, and the first after a mismatch, is preceded by a whole fingerprint.
    `provider` must answer a batch as one: a batch that it splits may reach two engines. Texts too long for it are split
    here, so that each part's answer is verified. A model that is not `replaceable` while the process runs is compared
    once.
    """

    def __init__(self, provider: EmbeddingProvider, space: Fingerprint, *, replaceable: bool = True) -> None:
        super().__init__(provider)
        self._space, self._replaceable = space, replaceable
        self._compared = False
        self._turn = count()

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return vectors of the space; raises `SpaceMismatch`, and what the provider raises."""
        if not texts:
            return np.zeros((0, self._space.model.dimension), dtype=np.float32)
        await self.compare(deadline)
        probes = places(kind)
        probe = probes[next(self._turn) % len(probes)]
        batch = [*texts, PROBES[probe][1]] if self._replaceable else texts
        try:
            vectors = await self._provider.embed(batch, kind, deadline)
        except ContextLengthExceeded as error:
            return await embed_in_parts(self, texts, kind, deadline, error)
        if not self._replaceable:
            return vectors
        self._compare(vectors, probe)
        return vectors[:-1]

    async def compare(self, deadline: Deadline) -> None:
        """Compare a whole fingerprint, unless it was; raises `SpaceMismatch`, and what the provider raises."""
        if self._compared:
            return
        difference = self._space.differs_from(await Fingerprint.take(self._provider, deadline))
        if difference is not None:
            raise self._mismatch(difference)
        self._compared = True

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return self._space.model

    def _compare(self, vectors: Vectors, probe: int) -> None:
        known = self._space.vectors[probe : probe + 1]
        if vectors.shape[1] != known.shape[1]:
            raise self._mismatch(f"dimension: {known.shape[1]} here, {vectors.shape[1]} there")
        cosine = float(row_cosines(known, vectors[-1:])[0])
        if not cosine >= MIN_COSINE:
            raise self._mismatch(f"probe vectors: cosine {cosine:.3f}, {MIN_COSINE} needed")

    def _mismatch(self, difference: str) -> SpaceMismatch:
        self._compared = False
        return SpaceMismatch(
            f"{self.name} returned vectors of another embedding space than that of {self._space.model.model!r}: "
            f"{difference}",
            backend=self.name,
        )


OnFallback = Callable[[str, str, Unavailable | SpaceMismatch], None]


class EmbeddingBackends(Protocol):
    """The embedding backends of a process, as its policy has them now."""

    @property
    def stable(self) -> str:
        """Return the backend for new indexes."""

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Return the backends that may answer for another, in order."""

    async def embedder(self, backend: str) -> EmbeddingProvider:
        """Return the one of that name, which answers a batch as one; raises `NotConfigured`."""

    async def in_process(self, backend: str) -> bool:
        """Whether its model can't be replaced while the process runs; raises `NotConfigured`."""

    async def late_interaction(self, backend: str) -> LateInteraction | None:
        """Return it as one that re-ranks by token vectors; raises `NotConfigured`."""


class EmbeddingFallback:
    """Embeds in given spaces. A fallback is used only if its parity with the space is on record, and is held to it."""

    def __init__(
        self,
        backends: EmbeddingBackends,
        records: ParityRecords,
        on_fallback: OnFallback | None = None,
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
                if self._on_fallback is not None:
                    self._on_fallback(home.backend, backend, first)
                return vectors
        raise failures.errors[0]

    async def embed_with_tokens(
        self, home: BackendSpace, texts: Sequence[str], deadline: Deadline
    ) -> tuple[Vectors, list[bytes]]:
        """Embed documents as `embed` does, with token vectors where its backend makes them in the same pass (else b"")."""
        # What the backend refuses or is too long for it is a matter for `embed`, which may ask another, or cut.
        with suppress(Unavailable, SpaceMismatch, ContextLengthExceeded):
            backend = await self.backends.late_interaction(home.backend)
            # Only a model that can't be replaced meanwhile: its answers hold no probe.
            if backend is not None and await self.backends.in_process(home.backend):
                await (await self.verified(home)).compare(deadline)
                return await backend.embed_with_tokens(texts, deadline)
        return await self.embed(home, texts, EmbedKind.DOCUMENT, deadline), [b""] * len(texts)

    async def verified(self, side: BackendSpace) -> Verified:
        """Return the backend, held to the space; raises `NotConfigured`."""
        key = (side.backend, side.space.digest)
        if key not in self._verified:
            replaceable = not await self.backends.in_process(side.backend)
            provider = await self.backends.embedder(side.backend)
            self._verified[key] = Verified(provider, side.space, replaceable=replaceable)
        return self._verified[key]
