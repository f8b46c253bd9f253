"""What a model thinks before its answer: passed on as such, never as the answer, the conversation or the text to search."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import OpenAIEngine
from harness.rag import ScriptedProcessor, running

THOUGHTS = "First the price list. NOT_FOUND is what I would say without it [9]."
ANSWER = "Visitors pay twelve euros [1]."
QUESTION = "What do visitors pay a night?"


@pytest.fixture(params=["reasoning_content", "inline"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, embedded: None) -> Iterator[OpenAIEngine]:
    with OpenAIEngine(answer=lambda _: ANSWER, context=8192, thoughts=THOUGHTS, thought_style=request.param) as made:
        monkeypatch.setenv("VLLM_URL", made.url)
        monkeypatch.setenv("VLLM_MODEL", "llama3.2")
        yield made


@pytest.fixture
async def stack(tmp_path: Path, engine: OpenAIEngine) -> AsyncIterator[Any]:
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await made.add("Visitors moor at the north pontoon and pay twelve euros a night.", "Harbour")
        policy = {"roles": {"text": {"stable": "vllm"}}}
        change = {"revision": 1, "why": "a thinking model", "policy": policy}
        assert (await made.http.put("/v1/providers", json=change)).status_code == 200
        yield made


async def test_it_is_no_part_of_the_answer_or_the_conversation(stack: Any, engine: OpenAIEngine) -> None:
    answer = await stack.query(QUESTION, remember=True)
    assert answer["text"] == ANSWER
    assert answer["warnings"] == []
    follow_up = await stack.query("And a week?", conversation_id=answer["conversation_id"])
    assert follow_up["text"] == ANSWER
    turns = (await stack.http.get(f"/v1/conversations/{answer['conversation_id']}")).json()["turns"]
    assert [turn["content"] for turn in turns if turn["role"] == "assistant"] == [ANSWER, ANSWER]
    # The rewritten follow-up, which the search is made with, is the model's answer and not its thoughts.
    assert "price list" not in json.dumps([seen.body for seen in engine.requests("/chat/completions")])


async def test_a_stream_has_events_of_their_own(stack: Any) -> None:
    headers = {"Accept": "text/event-stream"}
    frames = (await stack.http.post("/v1/query", json={"question": QUESTION}, headers=headers)).text.split("\n\n")
    events = [frame.split("\n", 1) for frame in frames if frame.startswith("event: ")]
    texts = {
        name: "".join(json.loads(data.removeprefix("data: "))["text"] for n, data in events if n == f"event: {name}")
        for name in ("reasoning", "token")
    }
    assert texts == {"reasoning": THOUGHTS, "token": ANSWER}


async def test_the_openai_format_has_a_field_for_it(stack: Any) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    answer = (await stack.http.post("/v1/chat/completions", json=body)).json()
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (ANSWER, THOUGHTS)
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    streamed = (await stack.http.post("/v1/chat/completions", json={**body, "stream": True})).text
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == ANSWER
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == THOUGHTS


async def test_an_unknown_context_length_is_said_and_answers_all_the_same(stack: Any, engine: OpenAIEngine) -> None:
    engine.lacks = frozenset({"max_model_len"})
    answer = await stack.query(QUESTION)
    assert answer["text"] == ANSWER
    assert any("does not tell its context length: 4096" in warning for warning in answer["warnings"])
