"""Embedding spaces under a running service: engines that are replaced, moves to another space, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import Fault, OllamaEngine, OpenAIEngine
from harness.rag import ScriptedProcessor, Stack, running
from llm_providers.types import EmbedKind
from rag_service import retrieval
from rag_service.indexes import BATCH
from rag_service.vectors import VectorStore

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
    names = {state.index.status: state.index.name for state in await rag.index_build.states("default")}
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


class Gate:
    """Holds vectors back after they were made, in the hands of whoever asked for documents' vectors of `backend`."""

    def __init__(self, stack: Stack, backend: str) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        fallback = stack.app.state.rag.index_build.indexes.fallback
        whole = fallback.embed

        async def held(home: Any, texts: Any, kind: EmbedKind, deadline: Any) -> Any:
            vectors = await whole(home, texts, kind, deadline)
            if kind is EmbedKind.DOCUMENT and home.backend == backend:
                self.reached.set()
                await self.open.wait()
            return vectors

        fallback.embed = held


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


async def test_an_engine_that_hangs_is_paid_for_once(
    stack: Stack, ollama: OllamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_EMBED_SECONDS", 0.5)
    await stack.add(HARBOUR, "Harbour")
    ollama.always(Fault.hang(), path="/api/embed")
    asked = len(ollama.requests("/api/embed"))
    for _ in range(5):
        assert (await search(stack, "What do visitors pay?"))["degraded"] == ["embeddings"]
    assert len(ollama.requests("/api/embed")) == asked + 1


# --- stand-ins


async def test_a_fallback_answers_and_ingests_only_after_parity(
    run: Callable[[], Any], ollama: OllamaEngine, vllm: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm.models.append("nomic-embed-text-v1.5")
    monkeypatch.setenv("VLLM_EMBED_MODEL", "nomic-embed-text-v1.5")
    vllm.dimension, vllm.seed = 64, 4
    compare = {"a": "ollama", "b": "vllm", "collection": "default"}
    async with run() as stack:
        policy = stack.app.state.providers.policy
        with_stand_in = policy.replace(
            policy.current.revision, lambda now: now.with_role("embeddings", fallbacks=("vllm",)), "test", "a stand-in"
        )
        await policy.adopt(with_stand_in)
        await stack.add(HARBOUR, "Harbour")

        assert (await asked_without(stack, ollama))["degraded"] == ["embeddings"]
        await healed(stack, ollama)
        failed = (await stack.http.post("/v1/providers/parity", json=compare)).json()
        assert (failed["passed"], failed["dimensions"], failed["recorded"]) == (False, [64, 64], True)
        assert (await asked_without(stack, ollama))["degraded"] == ["embeddings"]
        await healed(stack, ollama)

        vllm.seed = 0
        passed = (await stack.http.post("/v1/providers/parity", json=compare)).json()
        assert (passed["passed"], passed["samples"]) == (True, 9 + 2)
        assert passed["cosine"] > 0.999
        found = await asked_without(stack, ollama)
        assert found["degraded"] == []
        assert found["items"][0]["cosine"] is not None
        assert (await stack.add("The ferry leaves at nine.", "Ferry"))["status"] == "ready"
        metrics = (await stack.http.get("/metrics")).text
        assert 'provider_fallbacks_total{from_backend="ollama",reason=' in metrics

        vllm.seed = 4  # replaced by one that was never compared
        assert (await search(stack, "What do visitors pay?"))["degraded"] == ["embeddings"]
        await healed(stack, ollama)
        assert await stored(stack) == {"active": 2}
    vllm.seed = 0
    async with run() as stack:  # the record outlives the process, and the other replicas have it too
        assert (await asked_without(stack, ollama))["degraded"] == []


async def healed(stack: Stack, engine: OllamaEngine) -> None:
    """Mend the engine, and wait until its breaker has closed."""
    engine.heal()
    async with asyncio.timeout(10):
        while (await search(stack, "What do visitors pay?"))["degraded"]:
            await asyncio.sleep(0.1)


async def asked_without(stack: Stack, ollama: OllamaEngine) -> dict[str, Any]:
    ollama.always(Fault.busy(), path="/api/embed")
    return await search(stack, "What do visitors pay?")


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
    indexes = stack.app.state.rag.index_build.indexes
    taken = indexes.fingerprint

    async def then_busy(backend: str) -> Any:
        space = await taken(backend)
        vllm.always(Fault.busy(), path="/embeddings")
        return space

    indexes.fingerprint = then_busy
    try:
        return await reindex(stack, "vllm")
    finally:
        indexes.fingerprint = taken


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


async def test_what_is_deleted_in_the_middle_is_in_no_index(both: Stack) -> None:
    await both.add(PAGES, "Buoys")
    await both.add(HARBOUR, "Harbour")
    (buoys,) = [d for d in (await both.http.get("/v1/documents")).json()["items"] if d["title"] == "Buoys"]
    gate = Gate(both, "vllm")
    job = await reindex(both, "vllm")
    await gate.reached.wait()
    assert (await both.http.delete(f"/v1/documents/{buoys['id']}")).json()["documents"] == 1
    gate.open.set()
    assert (await both.ended(job))["status"] == "ready"
    assert await stored(both) == {"active": 1, "retired": 1}


async def test_a_document_that_is_being_embedded_at_the_swap_is_in_the_new_index(both: Stack) -> None:
    await both.add(HARBOUR, "Harbour")
    gate = Gate(both, "ollama")
    added = await both.http.post("/v1/documents", json={"text": PAGES, "title": "Buoys"})
    await gate.reached.wait()
    moved = await both.ended(await reindex(both, "vllm"))
    assert moved["status"] == "ready"
    gate.open.set()
    assert (await both.ended(added.json()["items"][0]["job_id"]))["status"] == "ready"
    (now, before) = await indexes(both)
    assert (now["backend"], now["chunks_done"]) == ("vllm", now["chunks_total"])
    assert (await stored(both))["active"] == now["chunks_total"]
    assert (before["backend"], before["chunks_done"]) == ("ollama", 1)
    (catch_up,) = (await rollback(both))["job_ids"]
    assert (await both.ended(catch_up))["status"] == "ready"
    assert (await stored(both))["active"] == now["chunks_total"]


async def test_a_batch_in_flight_when_the_indexes_change_places_twice_is_kept(both: Stack) -> None:
    await both.add(HARBOUR, "Harbour")
    await both.ended(await reindex(both, "vllm"))
    gate = Gate(both, "vllm")
    added = await both.http.post("/v1/documents", json={"text": "A lantern hangs there.", "title": "Lantern"})
    await gate.reached.wait()
    await rollback(both)
    await rollback(both)
    gate.open.set()
    assert (await both.ended(added.json()["items"][0]["job_id"]))["status"] == "ready"
    found = await search(both, "Where does the lantern hang?")
    assert found["items"][0]["cosine"] is not None
    (now, _) = await indexes(both)
    assert (now["backend"], now["chunks_done"], (await stored(both))["active"]) == ("vllm", 2, 2)


async def test_a_query_that_began_before_the_swap_ends_in_the_index_it_began_with(both: Stack) -> None:
    await both.add(PAGES, "Buoys")
    rag = both.app.state.rag
    asked, swapped = asyncio.Event(), asyncio.Event()
    fallback = rag.index_build.indexes.fallback
    whole, used = fallback.embed, list[str]()
    nearest = rag.documents._vectors.search

    async def held(space: Any, texts: Any, kind: EmbedKind, deadline: Any) -> Any:
        vectors = await whole(space, texts, kind, deadline)
        if kind is EmbedKind.QUERY:
            asked.set()
            await swapped.wait()
        return vectors

    async def seen(name: str, *given: Any) -> Any:
        used.append(name)
        return await nearest(name, *given)

    fallback.embed, rag.documents._vectors.search = held, seen
    (before,) = [state.index.name for state in await rag.index_build.states("default")]
    question = asyncio.create_task(search(both))
    await asked.wait()
    assert (await both.ended(await reindex(both, "vllm")))["status"] == "ready"
    swapped.set()
    found = await question
    assert (found["degraded"], used) == ([], [before])
    assert found["items"][0]["cosine"] is not None
    await search(both)
    assert used[1] != before


async def test_what_a_killed_process_left_of_a_deleted_document_is_removed_before_the_swap(
    both: Stack, vllm: OpenAIEngine
) -> None:
    await both.add(HARBOUR, "Harbour")
    job = await reindex_until_waiting(both, vllm)
    rag = both.app.state.rag
    (filling,) = [state.index for state in await rag.index_build.states("default") if state.index.status == "filling"]
    vectors = np.ones((2, 96), np.float32) / np.sqrt(96).astype(np.float32)
    await rag.documents._vectors.upsert(filling.name, [("doc_gone", 0), ("doc_gone", 1)], vectors)
    vllm.heal()
    assert (await both.ended(job))["status"] == "ready"
    assert (await stored(both))["active"] == 1


async def test_a_deleted_collection_takes_its_indexes_along(both: Stack, vllm: OpenAIEngine) -> None:
    await both.add(PAGES, "Buoys")
    await both.ended(await reindex(both, "vllm"))
    job = await reindex_until_waiting(both, vllm)
    assert {index["status"] for index in await indexes(both)} == {"active", "filling", "retired"}
    gone = (await both.http.delete("/v1/collections/default")).json()
    assert (gone["documents"], gone["chunks"] > 0) == (1, True)
    assert (await both.http.get(f"/v1/jobs/{job}")).json()["status"] == "cancelled"
    assert await vector_collections(both) == []


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
        fallback = stack.app.state.rag.index_build.indexes.fallback
        taken = fallback.embed
        batches = 0

        async def then_away(*given: Any) -> Any:
            nonlocal batches
            batches += 1
            if batches > 1:
                vllm.always(Fault.busy(), path="/embeddings")
            return await taken(*given)

        fallback.embed = then_away
        job = await reindex(stack, "vllm")
        await waits(stack, job)
        assert (await indexes(stack))[1]["chunks_done"] == BATCH
    vllm.heal()
    before = sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings"))
    async with run() as stack:
        assert (await stack.ended(job))["status"] == "ready"
        embedded = sum(len(seen.body["input"]) for seen in vllm.requests("/embeddings")) - before
        assert chunks - BATCH <= embedded < chunks - BATCH + 40
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
    (state,) = await rag.index_build.states("default")
    await rag.documents._vectors.drop(state.index.name)
    assert (await stored(stack))["active"] == 0
    assert (await stack.ended(await reindex(stack)))["status"] == "ready"
    assert (await stored(stack))["active"] == 1
    assert (await search(stack, "What do visitors pay?"))["items"][0]["cosine"] is not None


async def test_only_storing_vectors_makes_an_index_in_chroma(both: Stack) -> None:
    vectors: VectorStore = both.app.state.rag.documents._vectors
    one = np.ones((1, 4), np.float32) / 2
    await vectors.upsert("sy-index", [("doc_a", 0)], one)
    assert (await vectors.count("sy-index"), await vectors.search("sy-index", one[0], 5)) == (1, [("doc_a", 0, 1.0)])
    await vectors.drop("sy-index")
    assert await vectors.search("sy-index", one[0], 5) == []
    assert await vectors.cosines("sy-index", one[0], [("doc_a", 0)]) == {}
    assert (await vectors.documents("sy-index"), await vectors.delete_document("sy-index", "doc_a")) == (set(), 0)
    assert await vector_collections(both) == []


async def test_a_batch_that_ends_after_its_collection_was_deleted_leaves_no_vectors(both: Stack) -> None:
    await both.add(HARBOUR, "Harbour")
    built = both.app.state.rag.index_build
    (state,) = await built.states("default")
    chunks = [chunk for chunk, _ in await built.sample("default", 10)]
    await both.http.delete("/v1/collections/default")

    async def record(*_: Any) -> None:
        raise AssertionError("there is nothing to be recorded")

    vectors, tokens = np.ones((len(chunks), 96), np.float32), [b""] * len(chunks)
    await built.indexes._store(state.index, chunks, vectors, tokens, record)
    assert await vector_collections(both) == []


async def vector_collections(stack: Stack) -> list[Any]:
    client = await stack.app.state.rag.documents._vectors._connected()
    return list(await asyncio.to_thread(client.list_collections))
