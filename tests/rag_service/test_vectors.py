"""The vector index finds what a comparison with every vector finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rag_service.vectors import VectorStore

_VECTORS, _ASKED, _NEAREST = 3000, 100, 10


async def test_recall_against_brute_force(tmp_path: Path) -> None:
    dice = np.random.default_rng(4)
    places = dice.standard_normal((60, 384), np.float32)
    vectors = places[dice.integers(0, 60, _VECTORS + _ASKED)] + dice.standard_normal(
        (_VECTORS + _ASKED, 384), np.float32
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors, asked = vectors[:_VECTORS], vectors[_VECTORS:]
    store = VectorStore.open(None, tmp_path)
    for start in range(0, _VECTORS, 1000):
        await store.upsert("index", [("doc", n) for n in range(start, start + 1000)], vectors[start : start + 1000])
    found = 0
    for question in asked:
        truth = set(np.argsort(-(vectors @ question))[:_NEAREST].tolist())
        found += len(truth & {ordinal for _, ordinal, _ in (await store.search("index", question, 50))[:_NEAREST]})
    await store.aclose()
    assert found / (_ASKED * _NEAREST) >= 0.99
