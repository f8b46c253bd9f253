"""Sentences of the graph-service among what is searched: found, cited, left out where they must be, and done without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from harness.rag import ScriptedProcessor, Stack, running
from harness.serving import serving
from service_kit.state import service_state

QUESTION = "Who joins the Corvane Shipyard with the pool at Tolland?"
FILLER = "The Corvane Shipyard number {0} of the pool at Tolland has a gate, a crane and a clock, and dock {0}."
FACT = "Ellingham, who had run it, became headmistress in 1987."


@dataclass
class ScriptedGraph:
    """Answers with the sentences that a test gives it; faults on request."""

    evidence: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: str | None = None
    hold: asyncio.Event | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/evidence")
        async def evidence(request: Request) -> Response:
            self.asked.append(await request.json())
            if self.hold is not None:
                await self.hold.wait()
            if self.body is not None:
                return Response(self.body, media_type="application/json")
            if self.status != 200:
                return JSONResponse({"status": self.status, "detail": "no"}, self.status)
            connections = [{"score": 0.9, "steps": 1, "entities": [], "evidence": each} for each in self.evidence]
            return JSONResponse({"entities": [], "connections": connections})

        return app


@pytest.fixture
def graph() -> ScriptedGraph:
    return ScriptedGraph()


@pytest.fixture
async def url(graph: ScriptedGraph) -> AsyncIterator[str]:
    async with serving(graph.app()) as found:
        yield found


@pytest.fixture
async def asked(tmp_path: Path, embedded: None, graph: ScriptedGraph, url: str) -> AsyncIterator[Stack]:
    """Documents that are more like the question than the one which the graph points at."""
    async with running(tmp_path / "data", ScriptedProcessor(), graph_service_url=url) as stack:
        for number in range(12):
            await stack.add(FILLER.format(number), f"Gate {number}")
        graph.evidence = [await place(stack, "School")]
        yield stack


async def place(stack: Stack, title: str, collection: str = "default") -> dict[str, Any]:
    """Add a document, and return where its sentence stands."""
    text = f"{title}. {FACT}"
    job = await stack.add(text, title, collection)
    start = text.index(FACT)
    where = {"document_id": job["document_id"], "document": title, "page": 1}
    return {**where, "start": start, "end": len(text), "quote": FACT}


async def found(stack: Stack, **given: Any) -> dict[str, Any]:
    answer = await stack.http.post("/v1/search", json={"question": QUESTION, "limit": 5, **given})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def titles(answer: dict[str, Any]) -> list[str]:
    return [item["title"] for item in answer["items"]]


async def test_what_the_graph_points_at_is_among_the_first(asked: Stack, graph: ScriptedGraph) -> None:
    without = await found(asked, graph=False)
    assert "School" not in titles(without)
    assert (graph.asked, without["degraded"]) == ([], [])
    with_graph = await found(asked, graph=True)
    assert "School" in titles(with_graph)
    assert with_graph["degraded"] == []
    assert with_graph["seconds"]["graph"] > 0
    assert [each["question"] for each in graph.asked] == [QUESTION]


async def test_answers_use_it_by_every_way_of_asking(asked: Stack, graph: ScriptedGraph) -> None:
    events = await asked.events(QUESTION, graph=True)
    sources = next(data for name, data in events if name == "sources")
    assert "School" in titles(sources)
    await asked.query(QUESTION, graph=True)
    chat = {"model": "default", "graph": True, "messages": [{"role": "user", "content": QUESTION}]}
    assert (await asked.http.post("/v1/chat/completions", json=chat)).status_code == 200
    assert len(graph.asked) == 3
    await asked.query(QUESTION, graph=False)
    assert len(graph.asked) == 3


@pytest.mark.parametrize("by_setting", [True, False])
async def test_questions_that_do_not_say_whether_to_go_by_the_setting(
    tmp_path: Path, embedded: None, graph: ScriptedGraph, url: str, by_setting: bool
) -> None:
    async with running(tmp_path / "data", ScriptedProcessor(), graph_service_url=url, graph_search=by_setting) as stack:
        await place(stack, "School")
        await found(stack)
        await stack.query(QUESTION)
        assert len(graph.asked) == 2 * by_setting
        await found(stack, graph=not by_setting)
        assert len(graph.asked) == 2 * by_setting + (not by_setting)


async def test_a_collection_without_a_graph_lacks_nothing_unless_it_is_asked_for(
    asked: Stack, graph: ScriptedGraph
) -> None:
    graph.status = 404
    assert (await found(asked))["degraded"] == []
    assert (await asked.query(QUESTION))["degraded"] == []
    assert (await found(asked, graph=True))["degraded"] == ["graph"]
    graph.status = 500
    assert (await found(asked))["degraded"] == ["graph"]


async def test_without_a_graph_service_no_graph_is_searched(tmp_path: Path, embedded: None) -> None:
    async with running(tmp_path / "data", ScriptedProcessor()) as stack:
        await place(stack, "School")
        assert (await found(stack))["degraded"] == []
        answer = await found(stack, graph=True)
        assert answer["degraded"] == ["graph"]
        assert "GRAPH_SERVICE_URL is not set" in answer["reasons"][0]


async def test_documents_that_are_gone_or_not_asked_for_stay_out(asked: Stack, graph: ScriptedGraph) -> None:
    other = await place(asked, "Other")
    graph.evidence.append(other)
    only = {"documents": [other["document_id"]]}
    assert titles(await found(asked, graph=True, filter=only)) == ["Other"]
    assert {"School", "Other"} <= set(titles(await found(asked, graph=True, limit=8)))
    deleted = await asked.http.delete(f"/v1/documents/{other['document_id']}")
    assert deleted.status_code == 200
    after = await found(asked, graph=True, limit=100)
    assert "School" in titles(after)
    assert "Other" not in titles(after)


async def test_a_key_gets_nothing_of_another_collection(asked: Stack, graph: ScriptedGraph) -> None:
    created = await asked.http.post("/v1/collections", json={"name": "closed"})
    assert created.status_code == 201
    graph.evidence.append(await place(asked, "Secret", "closed"))
    secret = service_state(asked.app).keys.create("user", "user", ["default"])
    head = {"Authorization": f"Bearer {secret}"}
    body = {"question": QUESTION, "graph": True, "limit": 100}
    answer = await asked.http.post("/v1/search", json=body, headers=head)
    assert "School" in titles(answer.json())
    assert "Secret" not in titles(answer.json())
    refused = await asked.http.post("/v1/search", json={**body, "collection": "closed"}, headers=head)
    assert refused.status_code == 403
    assert [each["collection"] for each in graph.asked] == ["default"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 404}, "there is no graph of 'default'"),
        ({"status": 500}, "the graph-service answers 500"),
        ({"body": "{"}, "sent a response that is of no use"),
        ({"body": '{"connections": [{"score": 1, "evidence": {"page": "x"}}]}'}, "sent a response that is of no use"),
    ],
)
async def test_without_it_the_answer_says_so(
    asked: Stack, graph: ScriptedGraph, fault: dict[str, Any], words: str
) -> None:
    for name, value in fault.items():
        setattr(graph, name, value)
    answer = await found(asked, graph=True)
    assert len(answer["items"]) == 5
    assert answer["degraded"] == ["graph"]
    assert words in answer["reasons"][0]
    whole = await asked.query(QUESTION, graph=True)
    assert whole["degraded"] == ["graph"]
    assert any(words in warning for warning in whole["warnings"])


async def test_one_that_hangs_is_waited_for_once(asked: Stack, graph: ScriptedGraph) -> None:
    graph.hold = asyncio.Event()
    try:
        first, second = await found(asked, graph=True), await found(asked, graph=True)
    finally:
        graph.hold.set()
    assert first["degraded"] == second["degraded"] == ["graph"]
    assert "cannot be reached: TimeoutError" in first["reasons"][0]
    assert "the next try is in" in second["reasons"][0]
    assert len(graph.asked) == 1


async def test_one_that_is_away_is_done_without(tmp_path: Path, embedded: None) -> None:
    async with running(tmp_path / "data", ScriptedProcessor(), graph_service_url="http://127.0.0.1:9") as stack:
        await place(stack, "School")
        answer = await found(stack, graph=True)
    assert titles(answer) == ["School"]
    assert answer["degraded"] == ["graph"]
