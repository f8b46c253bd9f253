"""The rag-service's main flows on PostgreSQL and the Chroma server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from harness.rag import ScriptedProcessor, running
from service_kit.database import Database
from stores.servers import Chroma

pytestmark = pytest.mark.stores

HANDBOOK = """# Handbook

## Boats

The rowing boats are kept at berth twelve and rented by the hour for nine euros.

## Safety

Life jackets hang behind the office door, and every guest wears one.
"""


def rows(database_url: str, table: str) -> int:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(f"SELECT count(*) FROM rag.{table}".encode()).fetchone()
    assert found is not None
    return int(found[0])


def vectors(chroma: Chroma, document: str, *, remove: bool = False) -> int:
    """Count a document's vectors, as the server itself sees them; with `remove` take them away afterwards."""
    base = f"{chroma.url}/api/v2/tenants/default_tenant/databases/default_database/collections"
    where, counted = {"where": {"document": document}}, 0
    for collection in httpx2.get(base).json():
        ids = httpx2.post(f"{base}/{collection['id']}/get", json=where).json()["ids"]
        counted += len(ids)
        if remove and ids:
            httpx2.post(f"{base}/{collection['id']}/delete", json={"ids": ids}).raise_for_status()
    return counted


async def test_from_nothing_to_a_cited_answer_and_to_nothing_again(
    stack: Any, database_url: str, chroma: Chroma
) -> None:
    job = await stack.add(HANDBOOK, "Handbook")
    assert (job["status"], job["stage"], job["error"]) == ("ready", "done", None)
    assert job["chunks_done"] == job["chunks_total"] > 0
    (document,) = (await stack.http.get("/v1/documents")).json()["items"]
    assert rows(database_url, "chunk_words") == rows(database_url, "chunks") == document["chunks"]
    assert vectors(chroma, document["id"]) == document["chunks"]

    by_word = (await stack.http.post("/v1/search", json={"question": "berths"})).json()
    assert by_word["degraded"] == []
    assert by_word["items"][0]["keyword"] > 0  # stemmed: the text says "berth"
    by_meaning = (await stack.http.post("/v1/search", json={"question": "price of renting a dinghy"})).json()
    assert "rowing boats" in by_meaning["items"][0]["text"]
    assert by_meaning["items"][0]["cosine"] > 0.3

    answer = await stack.query("What do rowing boats cost by the hour?")
    (citation,) = answer["citations"]
    assert "nine euros" in citation["quote"]
    pages = (await stack.http.get(f"/v1/documents/{document['id']}/pages")).json()
    assert pages[0]["text"][citation["start"] : citation["end"]] == citation["quote"]

    gone = (await stack.http.delete(f"/v1/documents/{document['id']}")).json()
    chunks = document["chunks"]
    assert gone == {"documents": 1, "pages": 1, "chunks": chunks, "vectors": chunks, "files": 1}
    assert [rows(database_url, table) for table in ("documents", "pages", "chunks", "chunk_words")] == [0, 0, 0, 0]
    assert vectors(chroma, document["id"]) == 0


async def test_migrating_twice_and_two_at_the_same_moment(database_url: str) -> None:
    first, second = Database.open(database_url, "rag"), Database.open(database_url, "rag")
    try:
        await asyncio.gather(first.migrate("rag_service"), second.migrate("rag_service"))
        await first.migrate("rag_service")
        assert rows(database_url, "alembic_version") == 1
        assert rows(database_url, "documents") == 0
    finally:
        await first.aclose()
        await second.aclose()


async def test_the_same_bytes_are_the_same_document(stack: Any) -> None:
    await stack.add(HANDBOOK, "Handbook")
    again = await stack.http.post("/v1/documents", json={"text": HANDBOOK, "title": "Handbook"})
    assert again.status_code == 200
    assert again.json()["items"][0]["new"] is False


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_twenty_at_once_of_the_same_bytes_are_one_document(
    store: str, tmp_path: Path, embedded: None, where: dict[str, str]
) -> None:
    processor = ScriptedProcessor()
    async with running(tmp_path / "data", processor, **(where if store == "postgresql" else {})) as stack:
        body = {"text": HANDBOOK, "title": "Handbook", "collection": "crowded"}
        answers = await asyncio.gather(*(stack.http.post("/v1/documents", json=body) for _ in range(20)))
        assert {answer.status_code for answer in answers} <= {200, 202}
        items = [answer.json()["items"][0] for answer in answers]
        assert [item["new"] for item in items].count(True) == 1
        assert len({item["document"]["id"] for item in items}) == 1
        (job,) = {item["job_id"] for item in items}
        assert (await stack.ended(job))["status"] == "ready"
        assert len(processor.first_pages) == 1


async def test_reindexing_fills_chroma_again_from_the_rows(stack: Any, chroma: Chroma) -> None:
    await stack.add(HANDBOOK, "Handbook")
    (document,) = (await stack.http.get("/v1/documents")).json()["items"]
    assert vectors(chroma, document["id"], remove=True) == document["chunks"]
    assert vectors(chroma, document["id"]) == 0
    started = await stack.http.post("/v1/reindex", json={"collection": "default"})
    (job,) = started.json()["job_ids"]
    assert (await stack.ended(job))["status"] == "ready"
    assert vectors(chroma, document["id"]) == document["chunks"]


async def test_a_conversation_is_remembered_and_deleted(stack: Any) -> None:
    await stack.add(HANDBOOK, "Handbook")
    first = await stack.query("What do rowing boats cost by the hour?", remember=True)
    conversation = first["conversation_id"]
    await stack.query("Where are they kept?", conversation_id=conversation)
    shown = (await stack.http.get(f"/v1/conversations/{conversation}")).json()
    assert [turn["role"] for turn in shown["turns"]] == ["user", "assistant"] * 2
    assert (await stack.http.delete(f"/v1/conversations/{conversation}")).status_code in (200, 204)
    assert (await stack.http.get(f"/v1/conversations/{conversation}")).status_code == 404


async def test_text_that_postgresql_would_refuse_is_kept_without_what_it_refuses(run: Callable[..., Any]) -> None:
    strange = "NUL \x00 in a word: an\x00chor. \ud83d\udea3 \u202e reversed \ufffe \ufdd0 e\u0301 ß İ ² ١٢ 北京 \\ ' % :name".encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16")
    async with run() as stack:
        sent = await stack.http.post("/v1/documents", files=[("files", ("a\x00b.txt", strange.encode()))])
        job = await stack.ended(sent.json()["items"][0]["job_id"])
        assert (job["status"], job["error"]) == ("ready", None)
        document = job["document_id"]
        (page,) = (await stack.http.get(f"/v1/documents/{document}/pages")).json()
        assert "\x00" not in page["text"]
        assert "anchor" in page["text"]
        for question in ("anchor", "北京", "² ١٢ _ __ İ", "' & | ! ( ) : * \\ <-> \x00 an", "\u202e\ufffe"):
            found = await stack.http.post("/v1/search", json={"question": question})
            assert found.status_code == 200, (question, found.text)
        titled = await stack.http.post("/v1/documents", json={"text": "Some buoys.", "title": "T\x00itle"})
        assert (await stack.ended(titled.json()["items"][0]["job_id"]))["status"] == "ready"
        assert (await stack.http.get("/v1/documents/doc%00x")).status_code == 404
