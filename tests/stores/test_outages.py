"""A store that goes away and comes back, under a service that is not restarted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.rag import ScriptedProcessor, Stack
from stores.servers import Chroma, Postgres

pytestmark = pytest.mark.stores
TEXT = "The rowing boats are kept at berth twelve and rented by the hour for nine euros."
QUESTION = "What do rowing boats cost by the hour?"


async def ready(stack: Stack) -> None:
    async with asyncio.timeout(60):
        while (await stack.http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)


async def job_that(stack: Stack, job: str, waits: bool) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            found = dict((await stack.http.get(f"/v1/jobs/{job}")).json())
            if bool(found["waiting_for"]) is waits:
                return found
            await asyncio.sleep(0.05)


@pytest.fixture
def chroma_away(chroma: Chroma) -> Iterator[Chroma]:
    yield chroma
    chroma.stop()
    chroma.start()


@pytest.fixture
def postgres_away(postgres: Postgres) -> Iterator[Postgres]:
    yield postgres
    postgres.stop()
    postgres.start()


async def test_without_chroma_keywords_answer_and_documents_wait(stack: Stack, chroma_away: Chroma) -> None:
    await ready(stack)
    await stack.add(TEXT)
    chroma_away.stop()
    answer = await stack.query(QUESTION)
    assert answer["answered"]
    assert answer["degraded"] == ["embeddings"]
    not_ready = await stack.http.get("/readyz")
    assert not_ready.status_code == 503
    assert set(not_ready.json()["failures"]) == {"vector-index"}

    (document,) = (await stack.http.get("/v1/documents")).json()["items"]
    refused = await stack.http.delete(f"/v1/documents/{document['id']}")
    assert refused.status_code == 503
    assert (await stack.http.get(f"/v1/documents/{document['id']}")).json()["status"] == "ready"

    body = {"text": "A buoy marks the channel.", "title": "Buoys"}
    added = (await stack.http.post("/v1/documents", json=body)).json()["items"][0]
    assert "vector index" in (await job_that(stack, added["job_id"], waits=True))["waiting_for"]

    chroma_away.start()
    await ready(stack)
    assert (await stack.ended(added["job_id"]))["status"] == "ready"
    assert (await stack.query(QUESTION))["degraded"] == []
    gone = (await stack.http.delete(f"/v1/documents/{document['id']}")).json()
    assert gone["vectors"] == document["chunks"]


async def test_without_postgresql_it_says_so_and_goes_on_when_it_is_back(
    run: Callable[..., Any], postgres_away: Postgres
) -> None:
    processor = ScriptedProcessor()
    async with run(processor) as stack:
        await ready(stack)
        await stack.add(TEXT)
        processor.hold = asyncio.Event()
        pages = "\f".join(f"Page {number} speaks of buoys." for number in range(1, 9))
        added = (await stack.http.post("/v1/documents", json={"text": pages, "title": "Buoys"})).json()["items"][0]
        async with asyncio.timeout(10):
            while len(processor.first_pages) < 2:
                await asyncio.sleep(0.05)

        postgres_away.stop()
        processor.hold.set()
        for answer in (
            await stack.http.post("/v1/query", json={"question": QUESTION}),
            await stack.http.post("/v1/documents", json={"text": "More.", "title": "More"}),
            await stack.http.get("/v1/documents"),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"].endswith(":database-unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        not_ready = await stack.http.get("/readyz")
        assert not_ready.status_code == 503
        assert "database" in not_ready.json()["failures"]
        assert (await stack.http.get("/livez")).status_code == 200

        postgres_away.start()
        await ready(stack)
        assert (await stack.query(QUESTION))["answered"]
        async with asyncio.timeout(60):
            while (job := await stack.ended(added["job_id"]))["status"] != "ready":
                assert job["error"] is None
        assert job["pages_done"] == 8
        assert (await stack.add("Added after the storm, about lanterns."))["status"] == "ready"
