"""Which embedding space a collection's vectors live in, and the guard that lets no other in."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import SpaceMismatch
from llm_providers.spaces import Fingerprint
from rag_service.tables import Collection
from rag_service.vectors import index_name
from service_kit.database import Database
from service_kit.errors import NotFound

_PROBE_SECONDS = 30


class SpaceGuard:
    """Compares the embedding model in use with the one that a collection was made with."""

    def __init__(self, database: Database, embeddings: EmbeddingProvider) -> None:
        self._database = database
        self._embeddings = embeddings
        self._current: Fingerprint | None = None
        self._taking = asyncio.Lock()

    async def current(self) -> Fingerprint:
        """Return the fingerprint of the model in use, taken once; raises what the provider raises."""
        async with self._taking:
            if self._current is None:
                self._current = await Fingerprint.take(self._embeddings, Deadline.after(_PROBE_SECONDS))
            return self._current

    async def index(self, name: str) -> str:
        """Return the name of the vector index of collection `name`; the first call fixes the collection's space.

        Raises `NotFound`, and `SpaceMismatch` naming both sides if the collection was made with another model.
        """
        current = await self.current()
        async with self._database.reading() as session:
            collection = await session.get(Collection, name)
        if collection is None:
            raise NotFound(f"there is no collection {name!r}", field="collection")
        if collection.space is None:
            async with self._database.writing() as session:
                collection = await session.get_one(Collection, name, with_for_update=True)
                if collection.space is None:
                    collection.space = current.to_json()
        recorded = Fingerprint.from_json(collection.space or current.to_json())
        if (difference := recorded.differs_from(current)) is not None:
            raise SpaceMismatch(
                f"collection {name!r} holds vectors of another embedding space: {difference}. "
                f"Switch back to that model, or make the vectors again with `switchyard reindex`."
            )
        return space_index(name, recorded)

    async def recorded_index(self, name: str) -> str | None:
        """Return the index the collection's vectors lie in, whatever model is in use; None if it has none yet."""
        async with self._database.reading() as session:
            collection = await session.get(Collection, name)
        if collection is None or collection.space is None:
            return None
        return space_index(name, Fingerprint.from_json(collection.space))


def space_index(collection: str, space: Fingerprint) -> str:
    """Name the vector index of `collection` in `space`: by the model, for vectors differ in their last digits."""
    described = json.dumps(asdict(space.model), sort_keys=True)
    return index_name(collection, hashlib.sha256(described.encode()).hexdigest())
