"""A large collection without hours of encoding: new texts in the real stores, with vectors near those of real chunks."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from sqlalchemy import insert

from llm_providers.backends.embedded import EmbeddedProvider
from llm_providers.deadline import Deadline
from llm_providers.spaces import BackendSpace, Fingerprint
from llm_providers.types import Vectors
from rag_service import chunk_tokens, keyword
from rag_service.indexes import new_index
from rag_service.keyword import ChunkWords
from rag_service.tables import ACTIVE, Chunk, Collection, Document
from rag_service.vectors import VectorStore
from service_kit.database import Database
from service_kit.jobs import READY, now
from switchyard_benchmarks.query import COLLECTION
from switchyard_benchmarks.texts import by_frequency, document

_ENCODED = 400
_CHUNKS_PER_DOCUMENT = 500
_BATCH = 500
_NOISE = 0.4
"""Length of what is added to a real chunk's unit vector; cosines of two near ones are about .9, as in real collections."""
_ASKED, _NEAREST = 300, 10


async def fill(folder: Path, chunks: int, console: Console | None = None) -> float:
    """Fill the collection of `bench query` in the data folder of a stack that does not run; return the index's recall@10.

    That is the share of the ten nearest vectors by brute force that a search of fifty returns among its first ten.
    """
    console, dice = console or Console(), random.Random(7)  # noqa: S311
    words = by_frequency(dice)
    provider = EmbeddedProvider.open()
    real = [document(dice, 1) for _ in range(_ENCODED)]
    encoded, packed = await provider.embed_with_tokens(real, Deadline.after(600))
    database, store = Database.beside(folder, "rag", None), VectorStore.open(None, folder / "chroma")
    try:
        await database.migrate("rag_service")
        space = await Fingerprint.take(provider, Deadline.after(60))
        index = new_index(COLLECTION, BackendSpace(provider.name, space))
        index.status, index.activated = ACTIVE, now()
        async with database.writing() as session:
            session.add(Collection(name=COLLECTION))
            await session.flush()
            session.add(index)
        vectors = _near(encoded, chunks)
        for start in track(range(0, chunks, _BATCH), description=f"{chunks} chunks", console=console, transient=True):
            count = min(_BATCH, chunks - start)
            name = f"doc_synthetic{start // _CHUNKS_PER_DOCUMENT}"
            texts = [document(dice, 1, words) for _ in range(count)]
            tokens = [packed[place % _ENCODED] for place in range(start, start + count)]
            await _add(database, index.id, name, texts, tokens)
            await store.upsert(index.name, [(name, n) for n in range(count)], vectors[start : start + count])
        recall = await _recall(store, index.name, vectors, _near(encoded, _ASKED, seed=5))
        console.print(f"{chunks} chunks; recall@{_NEAREST} of the vector index against brute force: {recall:.4f}")
    finally:
        await store.aclose()
        await database.aclose()
        await provider.aclose()
    return recall


def _near(real: Vectors, count: int, seed: int = 3) -> Vectors:
    noise = np.random.default_rng(seed).standard_normal((count, real.shape[1]), np.float32)
    noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    made = real[np.arange(count) % len(real)] + noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


async def _add(database: Database, index_id: str, name: str, texts: list[str], tokens: list[bytes]) -> None:
    async with database.writing() as session:
        row = Document(
            id=name, collection=COLLECTION, sha256=name, filename=f"{name}.txt", title=name, size=1, job_id="",
            language="en", status=READY, searchable=True, pages=1, chunks=len(texts),
        )  # fmt: skip
        session.add(row)
        await session.flush()
        rows = [
            {"document_id": name, "ordinal": n, "page": 1, "start": 0, "end": len(text), "text": text, "embedded": True}
            for n, text in enumerate(texts)
        ]
        made = list(await session.scalars(insert(Chunk).returning(Chunk), rows))
        words = [ChunkWords(chunk.id, name, "", chunk.text) for chunk in made]
        await keyword.for_dialect(database.dialect).add(session, COLLECTION, "en", words)
        await chunk_tokens.store(session, index_id, {chunk.id: own for chunk, own in zip(made, tokens, strict=True)})


async def _recall(store: VectorStore, name: str, vectors: Vectors, asked: Vectors) -> float:
    found = 0
    for question in asked:
        nearest = np.argpartition(-(vectors @ question), _NEAREST)[:_NEAREST]
        truth = {(f"doc_synthetic{at // _CHUNKS_PER_DOCUMENT}", int(at % _CHUNKS_PER_DOCUMENT)) for at in nearest}
        hits = (await store.search(name, question, 50))[:_NEAREST]
        found += len(truth & {(hit[0], hit[1]) for hit in hits})
    return found / (len(asked) * _NEAREST)
