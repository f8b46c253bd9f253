"""Which embedding space a collection's vectors live in: that of its index, never that of whichever model is in use."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sqlalchemy import select, update

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import AuthenticationFailed, ModelNotFound, NotConfigured, SpaceMismatch
from llm_providers.providers import Providers
from llm_providers.spaces import BackendSpace, EmbeddingFallback, Fingerprint
from llm_providers.types import EmbedKind, Role, Vectors
from rag_service.indexes import active
from rag_service.tables import ACTIVE, Collection, VectorSpace
from rag_service.vectors import index_name
from service_kit.database import Database
from service_kit.errors import NotFound, UpstreamUnavailable
from service_kit.ids import new_id
from service_kit.jobs import now

WRONG_MODEL = (SpaceMismatch, NotConfigured, ModelNotFound, AuthenticationFailed)
"""The backend answers, but cannot make this index's vectors: what waits for it goes on once somebody has mended that."""
_FINGERPRINT_SECONDS = 60


class ProviderEmbeddings:
    """The embedding backends of the process, as its policy has them now."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    @property
    def stable(self) -> str:
        return self._providers.policy.current.roles[Role.EMBEDDINGS].stable

    @property
    def fallbacks(self) -> tuple[str, ...]:
        return self._providers.policy.current.roles[Role.EMBEDDINGS].fallbacks

    async def embedder(self, backend: str) -> EmbeddingProvider:
        return await self._providers.embedder(backend)

    async def in_process(self, backend: str) -> bool:
        return await self._providers.in_process(backend)


@dataclass(frozen=True, slots=True)
class Space:
    """An index as one request or batch sees it from beginning to end; `name` is Chroma's name of it."""

    id: str
    collection: str
    name: str
    home: BackendSpace


class Spaces:
    """Finds a collection's index, and embeds in its space: by its own backend, or by one that parity allows."""

    def __init__(self, database: Database, fallback: EmbeddingFallback) -> None:
        self._database = database
        self.fallback = fallback
        self._homes: dict[str, BackendSpace] = {}

    async def active(self, collection: str) -> Space | None:
        """Return the index that answers now; None if the collection has none yet."""
        async with self._database.reading() as session:
            found = await active(session, collection)
        return await self.of(found) if found is not None else None

    async def ensure(self, collection: str) -> Space:
        """Return the index that answers now; the first is made in the space of the policy's stable backend.

        Raises `NotFound`, and what the backend raises.
        """
        if (found := await self.active(collection)) is not None:
            return found
        backend = self.fallback.backends.stable
        space = await self.fingerprint(backend)
        async with self._database.writing() as session:
            if await session.get(Collection, collection) is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            index = await active(session, collection)
            if index is None:
                index = new_index(collection, BackendSpace(backend, space))
                index.status, index.activated = ACTIVE, now()
                session.add(index)
        return await self.of(index)

    async def of(self, index: VectorSpace) -> Space:
        """Return an index as it is used; its fingerprint, which never changes, is read once."""
        home = self._homes.get(index.id)
        if home is None:
            async with self._database.reading() as session:
                text = await session.scalar(select(VectorSpace.space).where(VectorSpace.id == index.id))
            if text is None:
                raise NotFound("the index was deleted")
            home = BackendSpace(index.backend or self.fallback.backends.stable, Fingerprint.from_json(text))
            self._homes[index.id] = home
        return Space(index.id, index.collection, index.name, home)

    async def fingerprint(self, backend: str) -> Fingerprint:
        """Return the space that a backend is in now; raises what it raises."""
        embedder = await self.fallback.backends.embedder(backend)
        return await Fingerprint.take(embedder, Deadline.after(_FINGERPRINT_SECONDS))

    async def embed(self, space: Space, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return vectors of the space, verified; raises what its backend raises, and `SpaceMismatch`."""
        return await self.fallback.embed(space.home, texts, kind, deadline)

    async def adopt(self) -> None:
        """Say of indexes that an earlier release made that the stable backend made them; every answer is verified anyway."""
        unknown = update(VectorSpace).where(VectorSpace.backend.is_(None))
        async with self._database.writing() as session:
            await session.execute(unknown.values(backend=self.fallback.backends.stable))


def new_index(collection: str, home: BackendSpace) -> VectorSpace:
    """Make the row of an index that nothing is in; its name in Chroma is its own, and never used again."""
    identity = new_id("idx")
    return VectorSpace(
        id=identity,
        collection=collection,
        name=f"{index_name(collection, home.space.digest)}-{identity[-16:]}",
        backend=home.backend,
        space=home.space.to_json(),
        model=asdict(home.space.model),
        filled_to=0,
    )


@contextmanager
def waiting() -> Generator[None, None, None]:
    """Let a job wait for the right model: nobody who mends a configuration should have to begin a job anew."""
    try:
        yield
    except WRONG_MODEL as error:
        raise UpstreamUnavailable(f"{error.backend or 'embeddings'}: {error}") from error
