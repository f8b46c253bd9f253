"""The vector store: Chroma, in process or by HTTP; everything in it can be made again from SQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import numpy as np

from llm_providers.types import Vectors
from service_kit.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

T = TypeVar("T")
_HTTP_SECONDS = 20.0
_PAGE = 5000
"""Chroma's limit is 5461 ids a call."""
_EF_SEARCH = 200
"""Neighbours that a search follows, https://arxiv.org/abs/1603.09320; docs/performance.md has the recall."""
_SAFE = re.compile(r"[^a-zA-Z0-9_-]")


class VectorStore:
    """Vectors of chunks by (document, ordinal); one Chroma collection per index."""

    def __init__(self, connect: Callable[[], Client], *, in_process: bool) -> None:
        self._connect = connect
        self._in_process = in_process
        self._client: Client | None = None
        self._collections: dict[str, Collection] = {}
        self._connecting = asyncio.Lock()
        self._opening: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, url: str | None, folder: Path) -> VectorStore:
        """Use the Chroma server at `url`, or else files in `folder`, which only one process may use."""

        def connect() -> Client:
            # Imported here: it takes more than a second, which start-up need not wait for.
            import chromadb
            from chromadb.config import Settings

            settings = Settings(anonymized_telemetry=False)
            if url is None:
                folder.mkdir(parents=True, exist_ok=True)
                return cast("Client", chromadb.PersistentClient(str(folder), settings))
            parts = urlsplit(url)
            secure = parts.scheme == "https"
            host, port = parts.hostname or "localhost", parts.port or 8000
            client = cast("Client", chromadb.HttpClient(host, port, ssl=secure, settings=settings))
            for session in _sessions(client):
                session.timeout = _HTTP_SECONDS
            return client

        return cls(connect, in_process=url is None)

    def connect_soon(self) -> None:
        """Begin to connect, which takes Chroma a second, so that the first question need not wait for it."""

        async def connect() -> None:
            with suppress(UpstreamUnavailable, OSError):
                await self._connected()

        self._opening = asyncio.create_task(connect())

    async def upsert(self, name: str, keys: Sequence[tuple[str, int]], vectors: Vectors) -> None:
        """Store one vector per (document id, ordinal); doing it again changes nothing."""
        ids = [f"{document}:{ordinal}" for document, ordinal in keys]
        metadata: list[Any] = [{"document": document} for document, _ in keys]

        client = await self._connected()

        def work() -> None:
            collection = self._collections.get(name) or client.get_or_create_collection(
                name, configuration={"hnsw": {"space": "cosine", "ef_search": _EF_SEARCH}}, embedding_function=None
            )
            self._collections[name] = collection
            collection.upsert(ids=ids, embeddings=vectors, metadatas=metadata)

        await self._run(work)

    async def search(
        self, name: str, vector: Vectors, limit: int, documents: Iterable[str] | None = None
    ) -> list[tuple[str, int, float]]:
        """Return (document id, ordinal, cosine), best first, of all or some `documents`; nothing where there is no index `name`."""
        where: Any = None if documents is None else {"document": {"$in": list(documents)}}

        def work(collection: Collection) -> list[tuple[str, int, float]]:
            found = collection.query(
                query_embeddings=vector[None, :], n_results=limit, where=where, include=["distances"]
            )
            ids, distances = found["ids"][0], (found["distances"] or [[]])[0]
            keys = [identity.rsplit(":", 1) for identity in ids]
            return [(key[0], int(key[1]), 1 - distance) for key, distance in zip(keys, distances, strict=True)]

        return await self._on(name, work, [])

    async def cosines(
        self, name: str, vector: Vectors, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], float]:
        """Return the cosine of `vector` with each stored vector among `keys`."""
        ids = {f"{document}:{ordinal}": (document, ordinal) for document, ordinal in keys}

        def work(collection: Collection) -> dict[tuple[str, int], float]:
            found = collection.get(ids=list(ids), include=["embeddings"])
            if not found["ids"]:
                return {}
            scores = np.asarray(found["embeddings"], np.float32) @ vector
            return {ids[identity]: float(score) for identity, score in zip(found["ids"], scores, strict=True)}

        return await self._on(name, work, {}) if ids else {}

    async def delete_document(self, name: str, document_id: str) -> int:
        """Remove a document's vectors; return how many there were."""

        def work(collection: Collection) -> int:
            ids = collection.get(where={"document": document_id}, include=[])["ids"]
            for start in range(0, len(ids), _PAGE):
                collection.delete(ids=ids[start : start + _PAGE])
            return len(ids)

        return await self._on(name, work, 0)

    async def documents(self, name: str) -> set[str]:
        """Return the ids of the documents that have vectors."""

        def work(collection: Collection) -> set[str]:
            found, offset = set[str](), 0
            while ids := collection.get(limit=_PAGE, offset=offset, include=[])["ids"]:
                found.update(identity.rpartition(":")[0] for identity in ids)
                offset += len(ids)
            return found

        return await self._on(name, work, set())

    async def count(self, name: str) -> int:
        return await self._on(name, lambda collection: collection.count(), 0)

    async def drop(self, name: str) -> None:
        """Remove the whole index `name`, if there is one."""
        client = await self._connected()

        def work() -> None:
            if name in {collection.name for collection in client.list_collections()}:
                client.delete_collection(name)

        self._collections.pop(name, None)
        await self._run(work)

    async def check(self) -> None:
        """Raise `UpstreamUnavailable` unless Chroma answers; one in this process is opened by its first use."""
        if self._in_process and self._client is None:
            return
        client = await self._connected()
        await self._run(client.heartbeat)

    async def aclose(self) -> None:
        """Let go of the files or the connection; may be called twice."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
        self._collections.clear()
        client, self._client = self._client, None
        if client is not None:
            for session in _sessions(client):
                session.close()
            await asyncio.to_thread(client.close)

    async def _on(self, name: str, work: Callable[[Collection], T], absent: T) -> T:
        """Return what `work` does with the index `name`, or `absent`: only `upsert` makes one."""
        client = await self._connected()

        def with_collection() -> T:
            from chromadb.errors import NotFoundError

            for _ in range(2):
                try:
                    collection = self._collections.get(name) or client.get_collection(name, embedding_function=None)
                    self._collections[name] = collection
                    return work(collection)
                except NotFoundError:
                    # Dropped; or the one that is known here was, and a restored backup has another.
                    self._collections.pop(name, None)
            return absent

        return await self._run(with_collection)

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                self._client = await self._run(self._connect)
            return self._client

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError:
            raise
        except Exception as error:
            self._collections.clear()
            raise UpstreamUnavailable(f"the vector index failed: {type(error).__name__}", retry_after=5) from error


def _sessions(client: Client) -> list[Any]:
    # Chroma's client waits for an answer without end, never closes its connections, and offers no other way to them.
    admin: Any = client._admin_client
    servers: tuple[Any, ...] = (client._server, admin._server)
    return [server._session for server in servers if hasattr(server, "_session")]


def vector_collection(collection: str, space: str) -> str:
    """Name the Chroma collection of `collection` in the embedding space with digest `space`."""
    return f"sy-{_SAFE.sub('-', collection)}-{space[:12]}"
