"""Token vectors are stored with a document's vectors, re-rank without its texts, and go with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select

from rag_service.tables import ChunkTokens
from service_kit.database import Database

PORTS = [f"The harbour of {name} was opened in {year}. Ships of the line call there." for name, year in
         (("Aldern", 1874), ("Brisk", 1881), ("Corvo", 1874), ("Dunmar", 1902))]  # fmt: skip
QUESTION = "Which harbour was opened in 1874?"


async def stored(stack: Any) -> int:
    database: Database = stack.app.state.rag.retriever.database
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(ChunkTokens)) or 0


async def order(stack: Any) -> list[str]:
    answer = await stack.http.post("/v1/search", json={"question": QUESTION})
    assert "rerank" in answer.json()["seconds"], "the first place is sure: nothing was re-ranked"
    return [item["title"] for item in answer.json()["items"]]


async def test_stored_used_and_deleted(stack: Any) -> None:
    jobs = [await stack.add(text, f"Port {number}") for number, text in enumerate(PORTS)]
    assert await stored(stack) == 4
    by_tokens = await order(stack)
    retriever = stack.app.state.rag.retriever
    async with retriever.database.writing() as session:
        await session.execute(delete(ChunkTokens))
    assert await order(stack) == by_tokens, "without them the texts are read, which comes to the same"

    rebuilt = await stack.http.post("/v1/reindex", json={"collection": "default"})
    await stack.ended(rebuilt.json()["job_ids"][0])
    assert await stored(stack) == 4, "an index that is built anew has its own"
    await stack.add("Something else.", "Last")
    for job in jobs:
        await stack.http.delete(f"/v1/documents/{job['document_id']}")
    assert await stored(stack) == 1, "those of the last document are left"
