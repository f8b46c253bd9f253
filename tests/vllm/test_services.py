"""The three services, end to end, with a real vLLM for text and embeddings.

The text model is SmolLM2-135M-Instruct, which invents with ease: what is shown of it has to be kept to the sources.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import doc_processor.app
import notes_service.app
import rag_service.app
from doc_processor.settings import DocProcessorSettings
from engines.real_vllm import VLLMServer
from harness.serving import serving
from llm_providers import get_provider
from notes_service.settings import NotesSettings
from rag_service.settings import RagSettings
from service_kit.app import SharedParts
from service_kit.durable import Durable
from service_kit.metrics import Metrics
from service_kit.providers import POLICY

pytestmark = pytest.mark.vllm
KEY = "sy-test-admin-key"
UNANSWERABLE = (
    "What does a ticket to Mars cost?",
    "Who is the president of Brazil?",
    "Which football club won the cup in 2019?",
    "How do I renew my passport?",
)
ANSWERABLE = (
    "Who is the grower in charge of the Long House?",
    "What is the part number of the seal kit for the BW-45?",
    "How many days of paid leave does everyone have?",
    "How much gas did the Long House save?",
)
EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass
class Stack:
    rag: httpx2.AsyncClient
    notes: httpx2.AsyncClient
    rag_url: str

    async def ended(self, http: httpx2.AsyncClient, job: str) -> dict[str, Any]:
        async with asyncio.timeout(120):
            while (found := (await http.get(f"/v1/jobs/{job}")).json())["status"] in ("queued", "running"):
                await asyncio.sleep(0.1)
        return dict(found)


@pytest.fixture
async def stack(
    tmp_path: Path, vllm_smollm: VLLMServer, vllm_embeddings: VLLMServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stack]:
    for name, value in {
        "LLM_PROVIDER": "vllm",
        "USE_VISION_ANALYSIS": "false",
        "VLLM_URL": vllm_smollm.url,
        "VLLM_MODEL": vllm_smollm.served_as,
        "VLLM_EMBED_URL": vllm_embeddings.url,
        "VLLM_EMBED_MODEL": vllm_embeddings.served_as,
    }.items():
        monkeypatch.setenv(name, value)
    common: dict[str, Any] = {"data_dir": tmp_path, "admin_api_key": KEY}
    durable = Durable.sqlite(tmp_path / "jobs.db")
    async with AsyncExitStack() as stack:
        processor = doc_processor.app.create(DocProcessorSettings(**common))
        url = await stack.enter_async_context(serving(processor))
        providers = await stack.enter_async_context(get_provider(policy_file=tmp_path / POLICY))
        await providers.start()
        shared = SharedParts(providers, durable, Metrics())
        rag = rag_service.app.create(RagSettings(**common, doc_processor_url=url, max_answer_tokens=64), shared)
        notes = notes_service.app.create(
            NotesSettings(**common, doc_processor_url=url, note_part_tokens=1000, note_answer_tokens=256),
            shared,
        )
        rag_url = await stack.enter_async_context(serving(rag))
        notes_url = await stack.enter_async_context(serving(notes))
        await durable.launch()
        stack.push_async_callback(durable.aclose)
        head = {"Authorization": f"Bearer {KEY}"}
        clients = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=base, headers=head, timeout=120))
            for base in (rag_url, notes_url)
        ]
        for client in clients:
            async with asyncio.timeout(120):
                while (await client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.2)
        yield Stack(clients[0], clients[1], rag_url)


async def test_documents_answers_notes_and_scans(stack: Stack) -> None:
    for name in ("handbook.md", "pump-inspection-scan.pdf"):
        file = {"files": (name, (EXAMPLES / name).read_bytes())}
        added = (await stack.rag.post("/v1/documents", files=file)).json()["items"][0]
        job = await stack.ended(stack.rag, added["job_id"])
        assert (job["status"], job["error"]) == ("ready", None)

    health = (await stack.rag.get("/health")).json()["providers"]
    assert {role: health[role]["backend"] for role in ("text", "embeddings")} == {"text": "vllm", "embeddings": "vllm"}
    assert health["text"]["extractive"] is False

    found = (await stack.rag.post("/v1/search", json={"question": "Which part of the pump is leaking?"})).json()
    assert found["degraded"] == []
    assert found["items"][0]["title"] == "pump-inspection-scan"

    events: list[tuple[str, Any]] = []
    body = {"question": "What is wrong with pump 2?"}
    async with stack.rag.stream("POST", "/v1/query", json=body, headers={"Accept": "text/event-stream"}) as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                events.append((name, json.loads(line[6:])))
    assert events[0][0] == "sources"
    assert [name for name, _ in events].count("done") == 1
    done = events[-1][1]
    assert done["provider"] == "vllm"
    assert done["usage"]["completion_tokens"] > 0
    assert done["usage"]["estimated"] is False
    assert sum(len(data["text"]) for name, data in events if name == "token") == done["streamed"]

    async with openai.AsyncOpenAI(base_url=f"{stack.rag_url}/v1", api_key=KEY, max_retries=0) as client:
        answer = await client.chat.completions.create(
            model="default", messages=[{"role": "user", "content": "What is wrong with pump 2?"}], max_tokens=32
        )
        assert answer.choices[0].finish_reason in ("stop", "length")

    given = {"text": (EXAMPLES / "meeting-2026-10-14.txt").read_text(), "kind": "meeting"}
    note = (await stack.notes.post("/v1/notes?wait=100", json=given)).json()
    # It writes valid JSON of nonsense, or runs out of tokens: either way nothing ungrounded is kept.
    assert note["status"] in ("ready", "failed")
    points = note["content"]["decisions"] + note["content"]["action_items"] + note["content"]["key_points"]
    source = (await stack.notes.get(f"/v1/notes/{note['id']}/source")).json()["text"]
    for point in points:
        assert source[point["source"]["start"] : point["source"]["end"]] == point["source"]["quote"]


async def test_what_is_in_no_document_is_not_said(stack: Stack) -> None:
    for name in ("handbook.md", "suppliers.txt", "energy-review.docx"):
        file = {"files": (name, (EXAMPLES / name).read_bytes())}
        added = (await stack.rag.post("/v1/documents", files=file)).json()["items"][0]
        assert (await stack.ended(stack.rag, added["job_id"]))["status"] == "ready"
    for question in UNANSWERABLE:
        answer = (await stack.rag.post("/v1/query", json={"question": question})).json()
        assert (answer["answered"], answer["citations"]) == (False, []), (question, answer["text"])
    for question in ANSWERABLE:
        answer = (await stack.rag.post("/v1/query", json={"question": question})).json()
        kept = [sentence for sentence in answer["sentences"] if sentence["supported"]]
        assert bool(kept) is answer["answered"], answer
        assert all(sentence["citations"] for sentence in kept)
        unsupported = [sentence for sentence in answer["sentences"] if sentence["supported"] is False]
        assert sum("your documents do not say it" in warning for warning in answer["warnings"]) == len(unsupported)
        dropped = (await stack.rag.post("/v1/query", json={"question": question, "grounding": "drop"})).json()
        assert all(sentence["supported"] is not False for sentence in dropped["sentences"]), dropped


async def test_a_long_document_is_summed_up_in_parts(stack: Stack) -> None:
    pages = [
        "\n\n".join(
            f"On day {day} of week {week} tank {day} was filled with {week * day} litres." for day in range(1, 90)
        )
        for week in range(1, 9)
    ]
    body = {"text": "\n\n".join(pages), "title": "Tank diary"}
    added = (await stack.rag.post("/v1/documents", json=body)).json()["items"][0]
    assert (await stack.ended(stack.rag, added["job_id"]))["status"] == "ready"
    answer = (await stack.rag.post("/v1/query", json={"question": "Summarise the tank diary"})).json()
    assert "retrieval" not in answer["seconds"]
    assert all(
        sentence["supported"] is not None or not any(map(str.isdigit, sentence["text"]))
        for sentence in answer["sentences"]
    )


async def test_a_collection_made_by_vllm_says_so(stack: Stack, vllm_embeddings: VLLMServer) -> None:
    added = (await stack.rag.post("/v1/documents", json={"text": "One line of text.", "title": "x"})).json()["items"][0]
    assert (await stack.ended(stack.rag, added["job_id"]))["status"] == "ready"
    (collection,) = (await stack.rag.get("/v1/collections")).json()
    assert collection["embedding_model"]["model"] == vllm_embeddings.served_as
    assert collection["embedding_model"]["dimension"] == 384
