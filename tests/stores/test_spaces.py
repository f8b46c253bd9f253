"""Moving to another embedding space with replicas on PostgreSQL and a Chroma server: swapped in all of them at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

pytest.register_assert_rewrite("harness.migrating")

from engines import Fault, OllamaEngine, OpenAIEngine  # noqa: E402
from harness.migrating import from_the_first_release  # noqa: E402
from harness.rag import KEY, ScriptedProcessor  # noqa: E402
from harness.serving import serving  # noqa: E402
from service_kit.database import Database  # noqa: E402
from stores.replica import Replica  # noqa: E402

pytestmark = pytest.mark.stores
PAGES = "\f".join(f"# Buoy {n}\n\nBuoy {n} lies {n * 7} metres off the mole and is painted red." for n in range(300))
Start = Callable[[], Any]


@pytest.fixture
def ollama() -> Iterator[OllamaEngine]:
    with OllamaEngine() as found:
        yield found


@pytest.fixture
def vllm() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(seed=7, dimension=96, models=["llama3.2", "all-MiniLM-L6-v2"]) as found:
        yield found


@pytest.fixture
async def start(
    tmp_path: Path, where: dict[str, str], ollama: OllamaEngine, vllm: OpenAIEngine
) -> AsyncIterator[Start]:
    async with serving(ScriptedProcessor().app()) as url:
        environment = {
            **{name.upper(): value for name, value in where.items()},
            "LLM_PROVIDER": "ollama",
            "OLLAMA_URL": ollama.url,
            "VLLM_URL": vllm.api,
            "VLLM_EMBED_URL": vllm.api,
            "VLLM_EMBED_MODEL": "all-MiniLM-L6-v2",
            "BREAKER_RESET": "0.2",
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


async def indexes(replica: Replica) -> list[dict[str, Any]]:
    return list((await replica.http.get("/v1/collections/default")).json()["indexes"])


async def asks(replica: Replica, question: str = "How far off the mole does buoy 97 lie?") -> dict[str, Any]:
    answer = await replica.http.post("/v1/search", json={"question": question})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def move(replica: Replica, provider: str) -> str:
    answer = await replica.http.post("/v1/reindex", json={"provider": provider})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_ids"][0])


def asked_for_queries(engine: Any, path: str) -> int:
    """Count the questions (which go with one probe) that an engine was asked for."""
    return sum(len(seen.body["input"]) == 2 for seen in engine.requests(path))


async def test_both_replicas_swap_at_once_and_go_back_at_once(
    start: Start, ollama: OllamaEngine, vllm: OpenAIEngine
) -> None:
    async with start() as one, start() as other:
        assert (await one.ended(await one.add(PAGES, "Buoys")))["status"] == "ready"
        for replica in (one, other):
            assert (await asks(replica))["degraded"] == []
        refused = await asyncio.gather(*(r.http.post("/v1/reindex", json={"provider": "vllm"}) for r in (one, other)))
        assert sorted(answer.status_code for answer in refused) == [202, 409]
        (job,) = [answer.json()["job_ids"][0] for answer in refused if answer.status_code == 202]
        while (await other.job(job))["status"] != "ready":
            for replica in (one, other):
                found = await asks(replica)
                assert (found["degraded"], found["items"][0]["cosine"] is None) == ([], False)
        for replica, engine, path in ((one, vllm, "/embeddings"), (other, vllm, "/embeddings")):
            await asks(replica)  # its first question takes the fingerprint
            before = asked_for_queries(engine, path)
            assert (await asks(replica))["degraded"] == []
            assert asked_for_queries(engine, path) == before + 1

        back = await other.http.post("/v1/reindex/rollback", json={"collection": "default"})
        assert (back.status_code, back.json()["job_ids"]) == (200, [])
        asked = asked_for_queries(vllm, "/embeddings")
        for replica in (one, other):
            found = await asks(replica)
            assert (found["degraded"], found["items"][0]["cosine"] is None) == ([], False)
            assert [(index["backend"], index["status"]) for index in await indexes(replica)] == [
                ("ollama", "active"),
                ("vllm", "retired"),
            ]
        assert asked_for_queries(vllm, "/embeddings") == asked


async def test_a_killed_move_is_gone_on_with_by_the_other_replica(
    start: Start, vllm: OpenAIEngine, database_url: str
) -> None:
    async with start() as survivor, start() as victim:
        assert (await victim.ended(await victim.add(PAGES, "Buoys")))["status"] == "ready"
        chunks = (await indexes(victim))[0]["chunks_total"]
        # The fingerprint, its second taking by the filling, and one batch get through.
        answered = len(vllm.requests("/embeddings"))
        job = await move(victim, "vllm")
        while len(vllm.requests("/embeddings")) < answered + 4:
            await asyncio.sleep(0.005)
        vllm.always(Fault.hang(), path="/embeddings")
        with psycopg.connect(database_url) as connection:
            query = "SELECT executor_id FROM rag_jobs.workflow_status WHERE workflow_uuid = %s"
            async with asyncio.timeout(20):
                while (row := connection.execute(query, [job]).fetchone()) is None or row[0] is None:
                    await asyncio.sleep(0.05)
                    connection.rollback()
        runs_it, other = (survivor, victim) if row[0] == "rag-0" else (victim, survivor)
        await runs_it.stop(signal.SIGKILL)
        assert (await asks(other))["degraded"] == []
        done = (await indexes(other))[1]["chunks_done"]
        vllm.heal()
        ended = await other.ended(job)
        assert (ended["status"], ended["chunks_done"], ended["chunks_total"]) == ("ready", chunks, chunks)
        assert 0 <= done < chunks
        assert [(index["backend"], index["chunks_done"]) for index in await indexes(other)] == [
            ("vllm", chunks),
            ("ollama", chunks),
        ]


async def test_an_engine_replaced_under_two_replicas_poisons_nothing(start: Start, ollama: OllamaEngine) -> None:
    async with start() as one, start() as other:
        assert (await one.ended(await one.add(PAGES, "Buoys")))["status"] == "ready"
        ollama.seed = 5
        added = await other.add("A lantern hangs at the end of the mole.", "Lantern")
        for replica in (one, other):
            found = await asks(replica)
            assert (found["degraded"], {item["cosine"] for item in found["items"]}) == (["embeddings"], {None})
        assert (await one.job(added))["chunks_done"] == 0
        ollama.seed = 0
        assert (await one.ended(added))["status"] == "ready"
        assert (await asks(one))["degraded"] == []


async def test_what_the_first_release_stored_is_there(database_url: str) -> None:
    database = Database.open(database_url, "rag")
    try:
        await from_the_first_release(database)
    finally:
        await database.aclose()
