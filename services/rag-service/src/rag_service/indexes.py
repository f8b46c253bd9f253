"""A collection's vector indexes in use: vectors are made in the space of the index, whichever model is in use now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_providers.base import EmbeddingProvider, LateInteraction
from llm_providers.deadline import Deadline
from llm_providers.errors import AuthenticationFailed, ModelNotFound, NotConfigured, SpaceMismatch
from llm_providers.providers import Providers
from llm_providers.spaces import BackendSpace, EmbeddingFallback, Fingerprint
from llm_providers.types import Role, Vectors
from rag_service import chunk_tokens
from rag_service.index_rows import active, indexable
from rag_service.tables import ACTIVE, Chunk, Collection, Document, Index
from rag_service.vectors import VectorStore, vector_collection
from service_kit.database import Database
from service_kit.errors import NotFound, UpstreamUnavailable
from service_kit.ids import new_id
from service_kit.jobs import now

BATCH = 32
"""Chunks embedded at a time: few enough that a machine with little time to spare ends a batch before it is tried again."""
WRITTEN_AT_ONCE = 4 * BATCH
WRONG_MODEL = (SpaceMismatch, NotConfigured, ModelNotFound, AuthenticationFailed)
"""The backend answers, but cannot make this index's vectors until somebody corrects its configuration."""
_FINGERPRINT_SECONDS = 60
_EMBED_SECONDS = 120
Record = Callable[[AsyncSession, Sequence[Chunk]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PolicyEmbeddings:
    """The embedding backends of the process, as its policy has them now."""

    providers: Providers

    @property
    def stable(self) -> str:
        return self.providers.policy.current.roles[Role.EMBEDDINGS].stable

    @property
    def fallbacks(self) -> tuple[str, ...]:
        return self.providers.policy.current.roles[Role.EMBEDDINGS].fallbacks

    async def embedder(self, backend: str) -> EmbeddingProvider:
        return await self.providers.embedder(backend)

    async def in_process(self, backend: str) -> bool:
        return await self.providers.in_process(backend)

    async def late_interaction(self, backend: str) -> LateInteraction | None:
        return await self.providers.late_interaction(backend)


@dataclass
class Indexes:
    """Finds a collection's index, and writes vectors of its space: by its own backend, or by one that parity allows."""

    database: Database
    vectors: VectorStore
    fallback: EmbeddingFallback
    _spaces: dict[str, BackendSpace] = field(default_factory=dict)

    async def active(self, collection: str) -> Index | None:
        """Return the index that answers now; None if the collection has none yet."""
        async with self.database.reading() as session:
            return await active(session, collection)

    async def ensure(self, collection: str) -> Index:
        """Return the index that answers now; the first is made in the space of the policy's stable backend.

        Raises `NotFound`, and what the backend raises.
        """
        if (known := await self.active(collection)) is not None:
            return known
        backend = self.fallback.backends.stable
        space = await self.fingerprint(backend)
        async with self.database.writing() as session:
            if await session.get(Collection, collection) is None:
                raise NotFound(f"there is no collection {collection!r}", field="collection")
            index = await active(session, collection)
            if index is None:
                index = new_index(collection, BackendSpace(backend, space))
                index.status, index.activated = ACTIVE, now()
                session.add(index)
        return index

    async def space(self, index: Index) -> BackendSpace:
        """Return an index's backend and fingerprint, which never change and are read once; raises `NotFound`."""
        space = self._spaces.get(index.id)
        if space is None:
            async with self.database.reading() as session:
                text = await session.scalar(select(Index.space).where(Index.id == index.id))
            if text is None:
                raise NotFound("the index was deleted")
            space = BackendSpace(index.backend or self.fallback.backends.stable, Fingerprint.from_json(text))
            self._spaces[index.id] = space
        return space

    async def fingerprint(self, backend: str) -> Fingerprint:
        """Return the space that a backend is in now; raises what it raises."""
        embedder = await self.fallback.backends.embedder(backend)
        return await Fingerprint.take(embedder, Deadline.after(_FINGERPRINT_SECONDS))

    async def write(self, index: Index, chunks: Sequence[tuple[Chunk, str]], record: Record) -> None:
        """Embed chunks (each with its document's title) and store their vectors, batch by batch; may be repeated.

        A batch is stored, and given to `record`, while the next one is embedded. No vector outlives its document, whatever is
        deleted, cancelled or killed meanwhile. Raises `UpstreamUnavailable` where the backend has another model than the
        index, and what the backend raises.
        """
        storing: list[asyncio.Task[None]] = []
        try:
            for start in range(0, len(chunks), BATCH):
                batch = chunks[start : start + BATCH]
                vectors, packed = await self._embed(index, batch)
                for before in storing[-1:]:
                    await asyncio.shield(before)
                rows = [chunk for chunk, _ in batch]
                storing.append(asyncio.create_task(self._store(index, rows, vectors, packed, record)))
            for last in storing[-1:]:
                await asyncio.shield(last)
        finally:
            # Even when cancelled: a thread that writes vectors can't be stopped, and its result must be recorded.
            await asyncio.gather(*storing, return_exceptions=True)

    async def _embed(self, index: Index, chunks: Sequence[tuple[Chunk, str]]) -> tuple[Vectors, list[bytes]]:
        texts = [embedding_text(title, chunk.heading, chunk.text) for chunk, title in chunks]
        with wrong_model_waits():
            space = await self.space(index)
            return await self.fallback.embed_with_tokens(space, texts, Deadline.after(_EMBED_SECONDS))

    async def _store(
        self, index: Index, chunks: Sequence[Chunk], vectors: Vectors, packed: Sequence[bytes], record: Record
    ) -> None:
        await self.vectors.upsert(index.name, [(chunk.document_id, chunk.ordinal) for chunk in chunks], vectors)
        documents = {chunk.document_id for chunk in chunks}
        async with self.database.reading() as session:
            kept = select(Document.id).where(Document.id.in_(documents), indexable(index.collection))
            deleted = documents - set(await session.scalars(kept))
            exists = await session.get(Index, index.id) is not None
        # Whatever ends a document marks it, or removes the index's row, before it deletes vectors: either that is seen here,
        # or these vectors are seen there.
        if not exists:
            await self.vectors.drop(index.name)
            return
        for document in deleted:
            await self.vectors.delete_document(index.name, document)
        async with self.database.writing() as session:
            tokens = {chunk.id: own for chunk, own in zip(chunks, packed, strict=True)}
            await chunk_tokens.store(session, index.id, tokens)
            await record(session, chunks)

    async def adopt(self) -> None:
        """Attribute indexes of an earlier release, which name no backend, to the stable one; answers are verified anyway."""
        unknown = update(Index).where(Index.backend.is_(None))
        async with self.database.writing() as session:
            await session.execute(unknown.values(backend=self.fallback.backends.stable))


def new_index(collection: str, space: BackendSpace) -> Index:
    """Return the row of an empty index; its name in Chroma is its own, and never used again."""
    identity = new_id("idx")
    return Index(
        id=identity,
        collection=collection,
        name=f"{vector_collection(collection, space.space.digest)}-{identity[-16:]}",
        backend=space.backend,
        space=space.space.to_json(),
        model=asdict(space.space.model),
        filled_to=0,
    )


def embedding_text(title: str, heading: str, text: str) -> str:
    """Put a chunk's place in front of it: a paragraph alone often does not name its subject."""
    return "\n".join(part for part in (title, heading, text) if part)


@contextmanager
def wrong_model_waits() -> Generator[None, None, None]:
    """Let a job wait for the right model, so that it need not be started again once the configuration is corrected."""
    try:
        yield
    except WRONG_MODEL as error:
        raise UpstreamUnavailable(f"{error.backend or 'embeddings'}: {error}") from error
