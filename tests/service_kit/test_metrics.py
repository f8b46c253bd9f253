"""What a service exports, from its first scrape on, and what counts as a failure of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines import Fault, OllamaEngine
from harness.rag import ScriptedProcessor, Stack, running
from service_kit.health import HealthCheck
from service_kit.metrics import OUTCOMES, STATES
from service_kit.state import service_state

FERRY = "The ferry leaves at nine from the old pier. Tickets are sold on board."


@pytest.fixture
async def ollama(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OllamaEngine]:
    with OllamaEngine(context=8192) as engine:
        monkeypatch.setenv("LLM_PROVIDER", "ollama")
        monkeypatch.setenv("OLLAMA_URL", engine.url)
        yield engine


@pytest.fixture
async def stack(tmp_path: Path, ollama: OllamaEngine) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data", ScriptedProcessor()) as found:
        yield found


async def exported(stack: Stack) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    page = (await stack.http.get("/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


async def test_what_alerts_look_at_is_there_before_anything_happens(stack: Stack) -> None:
    seen = await exported(stack)
    for kind, units in {"ingest": ("pages", "chunks"), "fill": ("chunks",)}.items():
        assert {seen[sample("switchyard_jobs", kind=kind, state=state)] for state in STATES} == {0}
        assert {seen[sample("switchyard_job_results_total", kind=kind, outcome=outcome)] for outcome in OUTCOMES} == {0}
        assert {seen[sample("switchyard_job_progress_total", kind=kind, unit=unit)] for unit in units} == {0}
    assert seen[sample("switchyard_http_failures_total", type="provider-unavailable")] == 0
    assert seen[sample("switchyard_searches_total", degraded="no")] == 0
    for role in ("text", "embeddings"):
        for state, value in {"closed": 1, "open": 0, "half_open": 0}.items():
            breaker = sample("switchyard_provider_breaker_state", role=role, backend="ollama", state=state)
            assert seen[breaker] == value


async def test_jobs_are_counted_while_open_by_how_far_they_get_and_by_how_they_end(stack: Stack) -> None:
    stack.processor.hold = asyncio.Event()
    added = await stack.http.post("/v1/documents", json={"text": f"{FERRY}\f{FERRY}", "title": "Ferry"})
    job = added.json()["items"][0]["job_id"]

    async def until(key: Any, value: float) -> dict[Any, float]:
        async with asyncio.timeout(20):
            while (seen := await exported(stack))[key] != value:
                await asyncio.sleep(0.02)
        return seen

    running_ = sample("switchyard_jobs", kind="ingest", state="running")
    await until(running_, 1)
    stack.processor.hold.set()
    seen = await until(sample("switchyard_job_results_total", kind="ingest", outcome="ready"), 1)
    assert (await stack.http.get(f"/v1/jobs/{job}")).json()["status"] == "ready"
    assert seen[sample("switchyard_job_progress_total", kind="ingest", unit="pages")] == 2
    assert seen[sample("switchyard_job_progress_total", kind="ingest", unit="chunks")] >= 1
    assert (await exported(stack))[running_] == 0


async def test_a_job_that_waits_for_a_peer_or_is_cancelled_is_counted_as_such(stack: Stack) -> None:
    stack.processor.refuse_next = 1000
    added = await stack.http.post("/v1/documents", json={"text": FERRY, "title": "Ferry"})
    job = added.json()["items"][0]["job_id"]
    waiting = sample("switchyard_jobs", kind="ingest", state="waiting")
    async with asyncio.timeout(20):
        while (await exported(stack))[waiting] != 1:
            await asyncio.sleep(0.02)
    assert (await stack.http.delete(f"/v1/jobs/{job}")).status_code == 200
    seen = await exported(stack)
    assert seen[waiting] == 0
    assert seen[sample("switchyard_job_results_total", kind="ingest", outcome="cancelled")] == 1


async def test_failures_are_those_that_are_not_the_callers_even_at_the_end_of_a_stream(
    stack: Stack, ollama: OllamaEngine
) -> None:
    await stack.add(FERRY)

    async def failures() -> dict[str, float]:
        seen = await exported(stack)
        return {
            dict(labels)["type"]: value
            for (name, labels), value in seen.items()
            if name == "switchyard_http_failures_total" and value
        }

    assert (await stack.http.post("/v1/query", json={"question": ""})).status_code == 422
    assert (await stack.http.get("/v1/documents/none")).status_code == 404
    assert await failures() == {}
    ollama.always(Fault.cut(after=2), path="/api/chat")
    asked = await stack.http.post(
        "/v1/query", json={"question": "When does the ferry leave?"}, headers={"Accept": "text/event-stream"}
    )
    assert asked.status_code == 200
    assert "event: error" in asked.text
    assert sum((await failures()).values()) == 1


async def test_what_is_lacking_is_shown_and_what_hangs_is_not_waited_for(stack: Stack) -> None:
    def lacking(seen: dict[Any, float]) -> dict[str, float]:
        return {dict(labels)["check"]: value for (name, labels), value in seen.items() if name == "switchyard_ready"}

    assert lacking(await exported(stack)) == {"text": 1, "embeddings": 1, "database": 1, "vector-index": 1}

    async def broken() -> None:
        raise OSError("gone")

    service_state(stack.app).health.checks.append(HealthCheck("chalk", broken))
    assert lacking(await exported(stack))["chalk"] == 0
    # A page that says so has not failed.
    assert (await stack.http.get("/readyz")).status_code == 503
    assert (await stack.http.get("/health")).json()["status"] == "not ready"
    seen = await exported(stack)
    assert not any(value for (name, _), value in seen.items() if name == "switchyard_http_failures_total")

    async def hanging() -> None:
        await asyncio.Event().wait()

    service_state(stack.app).health.checks.append(HealthCheck("chess", hanging))
    async with asyncio.timeout(5):
        assert lacking(await exported(stack)) == {"in-time": 0}


async def test_without_its_database_it_still_answers_and_shows_no_number_of_jobs(stack: Stack) -> None:
    with closing(sqlite3.connect(stack.data_dir / "rag.db")) as database:
        database.execute("ALTER TABLE jobs RENAME TO away")
    seen = await exported(stack)
    assert not [name for name, _ in seen if name == "switchyard_jobs"]
    assert sample("switchyard_policy_revision") in seen
    with closing(sqlite3.connect(stack.data_dir / "rag.db")) as database:
        database.execute("ALTER TABLE away RENAME TO jobs")
    assert sample("switchyard_jobs", kind="ingest", state="queued") in await exported(stack)
