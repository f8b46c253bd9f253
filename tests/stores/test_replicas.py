"""Several processes of the rag-service on the same stores: killed, started again, side by side."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.rag import KEY, ScriptedProcessor
from harness.serving import serving
from stores.replica import Replica

pytestmark = pytest.mark.stores
PAGES = [f"# Part {n}\n\nPage {n} tells of mooring number {n} and who pays for it." for n in range(1, 31)]


Start = Callable[[], Any]


@pytest.fixture
def processor() -> ScriptedProcessor:
    return ScriptedProcessor()


@pytest.fixture
async def start(
    tmp_path: Path, embedded: None, where: dict[str, str], processor: ScriptedProcessor
) -> AsyncIterator[Start]:
    async with serving(processor.app()) as url:
        environment = {
            **{name.upper(): value for name, value in where.items()},
            "DATA_DIR": str(tmp_path / "data"),
            "DOC_PROCESSOR_URL": url,
            "ADMIN_API_KEY": KEY,
        }

        @asynccontextmanager
        async def started() -> AsyncIterator[Replica]:
            replica = Replica(environment, tmp_path / "replicas.log")
            try:
                await replica.ready()
                yield replica
            finally:
                await replica.stop()

        yield started


def stored(database_url: str) -> tuple[int, int, int, int]:
    """Count pages, different chunks, chunks, full texts."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM rag.pages), (SELECT count(DISTINCT (document_id, ordinal)) FROM rag.chunks), "
            "(SELECT count(*) FROM rag.chunks WHERE embedded), (SELECT count(*) FROM rag.chunk_words)"
        ).fetchone()
    assert found is not None
    return found  # type: ignore[return-value]


async def test_killed_in_the_middle_of_a_document_it_goes_on_and_doubles_nothing(
    start: Start, processor: ScriptedProcessor, database_url: str
) -> None:
    processor.hold = asyncio.Event()
    async with start() as first:
        job = await first.add("\f".join(PAGES), "Moorings")
        async with asyncio.timeout(20):
            while (await first.job(job))["pages_total"] is None:
                await asyncio.sleep(0.05)
        await first.stop(signal.SIGKILL)
    processor.hold.set()
    async with start() as second:
        ended = await second.ended(job)
        assert (ended["status"], ended["pages_done"]) == ("ready", len(PAGES))
        pages, different, chunks, texts = stored(database_url)
        assert pages == len(PAGES)
        assert different == chunks == texts == ended["chunks_total"]
        found = (await second.http.post("/v1/search", json={"question": "mooring number 17"})).json()
        assert found["degraded"] == []
        assert any(item["page"] == 17 for item in found["items"])


async def test_two_replicas_answer_both_and_run_each_job_once(
    start: Start, processor: ScriptedProcessor, database_url: str
) -> None:
    async with start() as one, start() as other:
        jobs = [await (one, other)[n % 2].add(f"Text {n} about lanterns.", f"T{n}") for n in range(12)]
        ended = [await other.ended(job) for job in jobs]
        assert {job["status"] for job in ended} == {"ready"}
        assert processor.first_pages == [1] * len(jobs)
        for replica in (one, other):
            found = (await replica.http.post("/v1/search", json={"question": "lanterns", "limit": 20})).json()
            assert len(found["items"]) == len(jobs)
    with psycopg.connect(database_url) as connection:
        seats = connection.execute("SELECT DISTINCT executor_id FROM rag_jobs.workflow_status ORDER BY 1").fetchall()
    assert seats == [("rag-0",), ("rag-1",)]


async def test_what_a_killed_replica_was_doing_the_other_takes_over(start: Start, processor: ScriptedProcessor) -> None:
    processor.hold = asyncio.Event()
    async with start() as survivor:
        async with start() as victim:
            jobs = [await victim.add(f"Text {n}.\fAnother page.", f"T{n}") for n in range(4)]
            async with asyncio.timeout(20):
                while len(processor.first_pages) < len(jobs):
                    await asyncio.sleep(0.05)
            await victim.stop(signal.SIGKILL)
        processor.hold.set()
        ended = [await survivor.ended(job) for job in jobs]
        assert [(job["status"], job["pages_done"]) for job in ended] == [("ready", 2)] * len(jobs)
        assert len(processor.first_pages) > len(jobs), "the victim had no job to take over"
