"""Embedding spaces under a running service: engines that are replaced, moves to another space, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engines import Fault, OllamaEngine, OpenAIEngine
from harness.rag import ScriptedProcessor, Stack, running

HARBOUR = "Visitors moor at the north pontoon and pay twelve euros a night."
PAGES = "\f".join(f"# Buoy {n}\n\nBuoy {n} lies {n * 7} metres off the mole and is painted red." for n in range(150))
QUESTION = "How many metres off the mole does buoy 97 lie?"


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaEngine]:
    with OllamaEngine() as found:
        monkeypatch.setenv("LLM_PROVIDER", "ollama")
        monkeypatch.setenv("OLLAMA_URL", found.url)
        monkeypatch.setenv("BREAKER_RESET", "0.2")
        found.answer = lambda prompt: "Visitors pay twelve euros [1]."
        yield found


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIEngine]:
    """Another embedding model behind the other dialect, with other vectors."""
    with OpenAIEngine(seed=7, dimension=96, models=["llama3.2", "all-MiniLM-L6-v2"]) as found:
        monkeypatch.setenv("VLLM_URL", found.api)
        monkeypatch.setenv("VLLM_EMBED_URL", found.api)
        monkeypatch.setenv("VLLM_EMBED_MODEL", "all-MiniLM-L6-v2")
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], Any]:
    return lambda: running(tmp_path / "data", ScriptedProcessor())


@pytest.fixture
async def stack(run: Callable[[], Any], ollama: OllamaEngine) -> AsyncIterator[Stack]:
    async with run() as found:
        yield found


@pytest.fixture
async def both(run: Callable[[], Any], ollama: OllamaEngine, vllm: OpenAIEngine) -> AsyncIterator[Stack]:
    async with run() as found:
        yield found


async def indexes(stack: Stack) -> list[dict[str, Any]]:
    return list((await stack.http.get("/v1/collections/default")).json()["indexes"])


async def search(stack: Stack, question: str = QUESTION) -> dict[str, Any]:
    answer = await stack.http.post("/v1/search", json={"question": question})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def stored(stack: Stack) -> dict[str, int]:
    """Count the vectors of each index, as Chroma has them."""
    rag = stack.app.state.rag
    names = {state.index.status: state.index.name for state in await rag.reindexer.states("default")}
    return {status: await rag.documents._vectors.count(name) for status, name in names.items()}


async def waits(stack: Stack, job: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not (state := (await stack.http.get(f"/v1/jobs/{job}")).json())["waiting_for"]:
            assert state["status"] in ("queued", "running"), state
            await asyncio.sleep(0.05)
    return dict(state)


async def reindex(stack: Stack, provider: str | None = None) -> str:
    given = {"collection": "default"} | ({"provider": provider} if provider else {})
    answer = await stack.http.post("/v1/reindex", json=given)
    assert answer.status_code == 202, answer.text
    (job,) = answer.json()["job_ids"]
    return str(job)


async def rollback(stack: Stack) -> dict[str, Any]:
    answer = await stack.http.post("/v1/reindex/rollback", json={"collection": "default"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@asynccontextmanager
async def stuck(stack: Stack, engine: Any, path: str) -> AsyncIterator[None]:
    """Let requests to `path` hang until the block ends."""
    engine.always(Fault.hang(), path=path)
    yield
    engine.heal()


# --- engines that are replaced


async def test_an_engine_replaced_while_the_service_runs_poisons_nothing(stack: Stack, ollama: OllamaEngine) -> None:
    await stack.add(HARBOUR, "Harbour")
    assert (await search(stack, "What do visitors pay?"))["degraded"] == []
    before = await stored(stack)
    ollama.seed = 1  # the same name, the same dimension, other vectors
    added = await stack.http.post("/v1/documents", json={"text": "The ferry leaves at nine.", "title": "Ferry"})
    job = added.json()["items"][0]["job_id"]
    assert "another embedding space" in (await waits(stack, job))["waiting_for"]
    for _ in range(5):
        found = await search(stack, "What do visitors pay?")
        assert found["degraded"] == ["embeddings"]
        assert "another embedding space" in found["reasons"][0]
        assert [(item["title"], item["cosine"]) for item in found["items"]] == [("Harbour", None)]
    answer = await stack.query("What do visitors pay a night?")
    assert (answer["degraded"], answer["answered"]) == (["embeddings"], True)
    assert await stored(stack) == before
    ollama.seed = 0
    assert (await stack.ended(job))["status"] == "ready"
    found = await search(stack, "When does the ferry leave?")
    assert (found["degraded"], found["items"][0]["title"]) == ([], "Ferry")
    assert found["items"][0]["cosine"] > 0.2
    assert (await stored(stack))["active"] == before["active"] + 1


async def test_an_engine_replaced_between_two_starts_poisons_nothing(
    run: Callable[[], Any], ollama: OllamaEngine
) -> None:
    async with run() as stack:
        await stack.add(HARBOUR, "Harbour")
    ollama.seed, ollama.dimension = 1, 32
    async with run() as stack:
        assert (await search(stack, "What do visitors pay?"))["degraded"] == ["embeddings"]
        assert await stored(stack) == {"active": 1}


async def test_another_model_by_configuration_is_told_by_name(
    run: Callable[[], Any], ollama: OllamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run() as stack:
        await stack.add(HARBOUR, "Harbour")
    ollama.models.append("all-minilm")
    monkeypatch.setenv("OLLAMA_EMBED_MODEL", "all-minilm")
    async with run() as stack:
        found = await search(stack, "What do visitors pay?")
        assert found["degraded"] == ["embeddings"]
        assert all(name in found["reasons"][0] for name in ("nomic-embed-text", "all-minilm"))
        job = await reindex(stack)
        assert (await stack.ended(job))["status"] == "ready"
        assert (await search(stack, "What do visitors pay?"))["degraded"] == []
        assert [index["model"] for index in await indexes(stack)] == ["all-minilm", "nomic-embed-text"]


# --- stand-ins


async def test_a_fallback_answers_and_ingests_only_after_parity(
    run: Callable[[], Any], ollama: OllamaEngine, vllm: OpenAIEngine
) -> None:
    ollama.dimension = vllm.dimension = 64
    ollama.seed = vllm.seed = 3
    async with run() as stack:
        policy = stack.app.state.providers.policy
        embeddings = {"fallbacks": ("vllm",)}
        policy.adopt(
            policy.replace(
                policy.current.revision, lambda now: now.with_role("embeddings", **embeddings), "test", "a stand-in"
            )
        )
        await stack.add(HARBOUR, "Harbour")
        ollama.always(Fault.busy(), path="/api/embed")
        assert (await search(stack, "What do visitors pay?"))["degraded"] == ["embeddings"]
        ollama.heal()
        vllm.seed = 4
        given = {"a": "ollama", "b": "vllm", "collection": "default"}
        failed = (await stack.http.post("/v1/providers/parity", json=given)).json()
        assert (failed["passed"], failed["dimensions"]) == (False, [64, 64])
        ollama.always(Fault.busy(), path="/api/embed")
        assert (await search(stack, "What do visitors pay?"))["degraded"] == ["embeddings"]
        ollama.heal()
        vllm.seed = 3
        # The scripted engines know no prefixes, so that their vectors of the same text differ by them.
        passed = (await stack.http.post("/v1/providers/parity", json=given)).json()
        assert passed["samples"] == 9 + 2
        assert passed["cosine"] < passed["mean_cosine"] < 0.999


async def test_parity_refuses_who_makes_no_vectors(stack: Stack) -> None:
    refused = await stack.http.post("/v1/providers/parity", json={"a": "ollama", "b": "vllm"})
    assert (refused.status_code, refused.json()["field"]) == (422, "b")
    refused = await stack.http.post("/v1/reindex", json={"provider": "nobody"})
    assert (refused.status_code, refused.json()["field"]) == (422, "provider")


# --- moving


async def test_a_move_swaps_and_rollback_swaps_back(both: Stack, vllm: OpenAIEngine) -> None:
    await both.add(PAGES, "Buoys")
    chunks = (await indexes(both))[0]["chunks_total"]
    job = await both.ended(await reindex(both, "vllm"))
    assert (job["status"], job["kind"], job["document_id"]) == ("ready", "fill", None)
    assert job["chunks_done"] == job["chunks_total"] == chunks
    now = await indexes(both)
    assert [(index["backend"], index["status"], index["dimension"]) for index in now] == [
        ("vllm", "active", 96),
        ("ollama", "retired", 64),
    ]
    assert {index["chunks_done"] for index in now} == {chunks}
    asked = len(vllm.requests("/embeddings"))
    found = await search(both)
    assert (found["degraded"], len(vllm.requests("/embeddings"))) == ([], asked + 1)
    assert found["items"][0]["cosine"] is not None

    await both.add("A lantern hangs at the end of the mole.", "Lantern")
    back = await rollback(both)
    assert [(index["backend"], index["status"]) for index in back["indexes"]] == [
        ("ollama", "active"),
        ("vllm", "retired"),
    ]
    (catch_up,) = back["job_ids"]
    assert (await both.ended(catch_up))["status"] == "ready"
    found = await search(both, "Where does the lantern hang?")
    assert (found["degraded"], found["items"][0]["title"]) == ([], "Lantern")
    assert found["items"][0]["cosine"] is not None
    assert await stored(both) == {"active": chunks + 1, "retired": chunks + 1}
    assert (await rollback(both))["job_ids"] == []


async def test_the_old_index_answers_and_takes_documents_while_the_other_is_filled(
    both: Stack, vllm: OpenAIEngine
) -> None:
    await both.add(PAGES, "Buoys")
    job = await reindex_until_waiting(both, vllm)
    refused = await both.http.post("/v1/reindex", json={"provider": "vllm"})
    assert (refused.status_code, refused.json()["job_id"]) == (409, job)
    assert (await both.http.post("/v1/reindex/rollback", json={})).status_code == 409
    assert (await search(both))["degraded"] == []
    assert (await both.add("A lantern hangs at the end of the mole.", "Lantern"))["status"] == "ready"
    found = await search(both, "Where does the lantern hang?")
    assert (found["degraded"], found["items"][0]["title"]) == ([], "Lantern")
    assert [index["status"] for index in await indexes(both)] == ["active", "filling"]
    vllm.heal()
    assert (await both.ended(job))["status"] == "ready"
    assert (await indexes(both))[0]["backend"] == "vllm"
    found = await search(both, "Where does the lantern hang?")
    assert (found["degraded"], found["items"][0]["title"]) == ([], "Lantern")
    counts = await stored(both)
    assert counts["active"] == counts["retired"]


async def reindex_until_waiting(stack: Stack, vllm: OpenAIEngine) -> str:
    """Begin a move whose engine goes away after the fingerprint."""
    job = await reindex_with_pause(stack, vllm)
    assert "busy" in (await waits(stack, job))["waiting_for"]
    return job


async def reindex_with_pause(stack: Stack, vllm: OpenAIEngine) -> str:
    rag = stack.app.state.rag
    taken = rag.spaces.fingerprint

    async def then_busy(backend: str) -> Any:
        space = await taken(backend)
        vllm.always(Fault.busy(), path="/embeddings")
        return space

    rag.spaces.fingerprint = then_busy
    try:
        return await reindex(stack, "vllm")
    finally:
        rag.spaces.fingerprint = taken


async def test_a_move_to_an_engine_that_is_replaced_waits_and_writes_nothing_of_it(
    both: Stack, vllm: OpenAIEngine
) -> None:
    await both.add(PAGES, "Buoys")
    job = await reindex_with_pause(both, vllm)
    vllm.heal()
    vllm.seed = 8
    assert "another embedding space" in (await waits(both, job))["waiting_for"]
    partly = (await stored(both))["filling"]
    await both.add("A lantern hangs at the end of the mole.", "Lantern")
    assert (await stored(both))["filling"] == partly
    vllm.seed = 7
    assert (await both.ended(job))["status"] == "ready"
    counts = await stored(both)
    assert counts["active"] == counts["retired"]


async def test_what_is_deleted_in_the_middle_is_in_no_index(both: Stack, vllm: OpenAIEngine) -> None:
    await both.add(PAGES, "Buoys")
    await both.add(HARBOUR, "Harbour")
    job = await reindex_until_waiting(both, vllm)
    (buoys,) = [d for d in (await both.http.get("/v1/documents")).json()["items"] if d["title"] == "Buoys"]
    vllm.heal()
    vllm.delay = 0.0
    assert (await both.http.delete(f"/v1/documents/{buoys['id']}")).json()["documents"] == 1
    assert (await both.ended(job))["status"] == "ready"
    assert await stored(both) == {"active": 1, "retired": 1}


async def test_a_cancelled_move_leaves_nothing_behind(both: Stack, vllm: OpenAIEngine) -> None:
    await both.add(PAGES, "Buoys")
    job = await reindex_until_waiting(both, vllm)
    assert (await both.http.delete(f"/v1/jobs/{job}")).json()["status"] == "cancelled"
    assert [index["status"] for index in await indexes(both)] == ["active"]
    client = await both.app.state.rag.documents._vectors._connected()
    async with asyncio.timeout(10):
        while len(await asyncio.to_thread(client.list_collections)) > 1:
            await asyncio.sleep(0.05)
    vllm.heal()
    assert (await both.ended(await reindex(both, "vllm")))["status"] == "ready"


async def test_a_kept_index_is_filled_up_rather_than_made_anew(both: Stack, vllm: OpenAIEngine) -> None:
    await both.add(PAGES, "Buoys")
    await both.ended(await reindex(both, "vllm"))
    await both.ended(await reindex(both, "ollama"))
    await both.add("A lantern hangs at the end of the mole.", "Lantern")
    before = sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings"))
    await both.ended(await reindex(both, "vllm"))
    assert sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings")) - before < 40
    counts = await stored(both)
    assert counts["active"] == counts["retired"] == (await indexes(both))[0]["chunks_total"]


async def test_an_interrupted_move_goes_on_where_it_was(
    run: Callable[[], Any], ollama: OllamaEngine, vllm: OpenAIEngine
) -> None:
    async with run() as stack:
        await stack.add(PAGES, "Buoys")
        chunks = (await indexes(stack))[0]["chunks_total"]
        taken = stack.app.state.rag.spaces.embed
        batches = 0

        async def then_away(*given: Any) -> Any:
            nonlocal batches
            batches += 1
            if batches > 1:
                vllm.always(Fault.busy(), path="/embeddings")
            return await taken(*given)

        stack.app.state.rag.spaces.embed = then_away
        job = await reindex(stack, "vllm")
        await waits(stack, job)
        assert (await indexes(stack))[1]["chunks_done"] == 64
    vllm.heal()
    before = sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings"))
    async with run() as stack:
        assert (await stack.ended(job))["status"] == "ready"
        embedded = sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings")) - before
        assert chunks - 64 <= embedded < chunks - 64 + 40
        assert await stored(stack) == {"active": chunks, "retired": chunks}


async def test_a_chunk_id_is_never_used_twice(both: Stack, vllm: OpenAIEngine) -> None:
    """SQLite would give the id of a deleted last row to the next, and the filling would pass it over."""
    await both.add(HARBOUR, "Harbour")
    await both.ended(await reindex(both, "vllm"))
    (harbour,) = (await both.http.get("/v1/documents")).json()["items"]
    await both.http.delete(f"/v1/documents/{harbour['id']}")
    await both.add("A lantern hangs at the end of the mole.", "Lantern")
    (catch_up,) = (await rollback(both))["job_ids"]
    assert (await both.ended(catch_up))["status"] == "ready"
    found = await search(both, "Where does the lantern hang?")
    assert found["items"][0]["cosine"] is not None
    assert await stored(both) == {"active": 1, "retired": 1}


async def test_nothing_to_go_back_to_is_said(stack: Stack) -> None:
    await stack.add(HARBOUR, "Harbour")
    refused = await stack.http.post("/v1/reindex/rollback", json={"collection": "default"})
    assert refused.status_code == 409
    assert "no earlier index" in refused.json()["detail"]
    assert (await stack.http.post("/v1/reindex/rollback", json={"collection": "nowhere"})).status_code == 404


async def test_reindexing_makes_lost_vectors_again(stack: Stack) -> None:
    await stack.add(HARBOUR, "Harbour")
    rag = stack.app.state.rag
    (state,) = await rag.reindexer.states("default")
    await rag.documents._vectors.drop(state.index.name)
    assert (await stored(stack))["active"] == 0
    assert (await stack.ended(await reindex(stack)))["status"] == "ready"
    assert (await stored(stack))["active"] == 1
    assert (await search(stack, "What do visitors pay?"))["items"][0]["cosine"] is not None
