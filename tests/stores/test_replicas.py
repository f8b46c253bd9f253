"""Several processes of the rag-service on the same stores: killed, started again, side by side."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from harness.rag import KEY, ScriptedProcessor
from harness.serving import serving
from stores.servers import free_port

pytestmark = pytest.mark.stores
PAGES = [f"# Part {n}\n\nPage {n} tells of mooring number {n} and who pays for it." for n in range(1, 31)]


class Replica:
    """A rag-service in a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rag_service"],
                env={**os.environ, **environment, "PORT": str(self.port)},
                stdout=output,
                stderr=output,
            )
        head = {"Authorization": f"Bearer {KEY}"}
        self.http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=head, timeout=30)

    async def ready(self) -> None:
        async with asyncio.timeout(60):
            while True:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    if (await self.http.get("/readyz")).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    async def job(self, identity: str) -> dict[str, Any]:
        return dict((await self.http.get(f"/v1/jobs/{identity}")).json())

    async def ended(self, identity: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (job := await self.job(identity))["status"] in ("queued", "running"):
                await asyncio.sleep(0.1)
        return job

    async def add(self, text: str, title: str) -> str:
        answer = await self.http.post("/v1/documents", json={"text": text, "title": title})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["items"][0]["job_id"])

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        await self.http.aclose()
        if self.process.poll() is None:
            self.process.send_signal(how)
            await asyncio.to_thread(self.process.wait, 30)


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
            "(SELECT count(*) FROM rag.chunks WHERE embedded), (SELECT count(*) FROM rag.chunk_text)"
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
