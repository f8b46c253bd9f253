"""Notes by a model that writes: a scripted engine behind the real Ollama backend, over sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engines import Fault, OllamaEngine

TEXT = "The council met on Tuesday. It decided to plant forty lime trees. Mrs Aldous orders them by May."


def draft(**changes: Any) -> str:
    good = {
        "title": "Trees",
        "summary": "The council plants trees.",
        "decisions": [{"text": "Forty limes are planted.", "quote": "It decided to plant forty lime trees."}],
        "action_items": [
            {"text": "Order trees.", "quote": "Mrs Aldous orders them by May.", "owner": "Mrs Aldous", "due": "May"}
        ],
        "key_points": [{"text": "It met on Tuesday.", "quote": "The council met on Tuesday."}],
        "tags": ["Trees", "council"],
    }
    return json.dumps({**good, **changes})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[OllamaEngine]:
    with OllamaEngine() as found:
        monkeypatch.setenv("LLM_PROVIDER", "ollama")
        monkeypatch.setenv("OLLAMA_URL", found.url)
        monkeypatch.setenv("RETRY_ATTEMPTS", "1")
        yield found


def says(engine: OllamaEngine, *answers: str) -> list[str]:
    """Let the engine give these answers, one after the other, and the last one from then on; returns the prompts."""
    left, prompts = list(answers), []

    def answer(_: Any, prompt: str) -> str:
        prompts.append(prompt)
        return left.pop(0) if len(left) > 1 else left[0]

    engine.json_answer = answer
    return prompts


async def test_a_valid_draft_becomes_a_grounded_note(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    says(engine, draft())
    async with run() as stack:
        note = await stack.note(TEXT)
    assert note["status"] == "ready"
    assert (note["provider"], note["extractive"], note["incomplete"]) == ("ollama", False, False)
    assert note["content"]["action_items"][0]["owner"] == "Mrs Aldous"
    assert note["content"]["tags"] == ["trees", "council"]
    assert note["warnings"] == []


async def test_what_the_text_does_not_say_is_left_out_and_counted(
    engine: OllamaEngine, run: Callable[..., Any]
) -> None:
    invented = [{"text": "A bridge is built.", "quote": "The bridge over the river will be built in June."}]
    owned = [{"text": "Order.", "quote": "Mrs Aldous orders them by May.", "owner": "Mr Pym", "due": "4 May 2031"}]
    says(engine, draft(decisions=invented, action_items=owned))
    async with run() as stack:
        note = await stack.note(TEXT)
    assert note["content"]["decisions"] == []
    assert note["content"]["action_items"][0]["owner"] is None
    assert note["content"]["action_items"][0]["due"] is None
    assert len(note["warnings"]) == 3


async def test_a_quote_with_a_small_slip_is_still_found(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    slip = [{"text": "Limes.", "quote": "it decided to plant fourty lime trees"}]
    says(engine, draft(decisions=slip))
    async with run() as stack:
        note = await stack.note(TEXT)
    span = note["content"]["decisions"][0]["source"]
    assert TEXT[span["start"] : span["end"]] == span["quote"]
    assert "lime trees" in span["quote"]


async def test_broken_json_is_repaired_once(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    prompts = says(engine, '{"title": "Trees"', draft())
    async with run() as stack:
        note = await stack.note(TEXT)
    assert note["status"] == "ready"
    assert len(prompts) == 2
    assert "not valid" in prompts[1]


async def test_twice_broken_json_fails_and_is_never_guessed(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    prompts = says(engine, '{"title": 1}')
    async with run() as stack:
        note = await stack.note(TEXT)
        assert note["status"] == "failed"
        assert len(prompts) == 2
        job = (await stack.http.get(f"/v1/jobs/{note['job_id']}")).json()
        assert job["error"]["type"].endswith(":invalid-model-output")


async def test_a_model_that_stops_early_leaves_an_incomplete_note(
    engine: OllamaEngine, run: Callable[..., Any]
) -> None:
    many = [{"text": f"Point {n}.", "quote": "The council met on Tuesday."} for n in range(60)]
    says(engine, draft(key_points=many))
    async with run(note_answer_tokens=128) as stack:
        note = await stack.note(TEXT)
    assert note["status"] == "ready"
    assert note["incomplete"] is True
    assert note["content"]["decisions"]


async def test_a_long_text_is_read_in_parts_with_progress(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    overview = json.dumps({"title": "A long year", "summary": "Many trees."})
    text = "\n\n".join(f"{TEXT} This is paragraph {n}." for n in range(60))
    engine.json_answer = lambda schema, prompt: overview if "decisions" not in schema["properties"] else draft()
    async with run(note_part_tokens=400) as stack:
        note = await stack.note(text, wait=60)
        job = (await stack.http.get(f"/v1/jobs/{note['job_id']}")).json()
    assert job["parts_done"] == job["parts_total"] > 3
    assert note["title"] == "A long year"
    assert len(note["content"]["decisions"]) == 1
    assert note["incomplete"] is False


async def test_a_part_that_cannot_be_read_makes_the_note_incomplete(
    engine: OllamaEngine, run: Callable[..., Any]
) -> None:
    text = "\n\n".join(f"{TEXT} This is paragraph {n}." for n in range(60))
    engine.json_answer = lambda schema, prompt: "nonsense" if "paragraph 0." in prompt else draft()
    async with run(note_part_tokens=400) as stack:
        note = await stack.note(text, wait=60)
    assert note["status"] == "ready"
    assert note["incomplete"] is True
    assert any("a part was not read" in warning for warning in note["warnings"])


async def test_a_note_waits_for_an_engine_that_is_away_and_goes_on(
    engine: OllamaEngine, run: Callable[..., Any]
) -> None:
    says(engine, draft())
    engine.script(Fault.busy(), times=2, path="/api/chat")
    async with run() as stack:
        note = await stack.note(TEXT)
    assert note["status"] == "ready"


async def test_a_generation_that_never_fits_its_time_is_tried_a_bounded_number_of_times_and_kept(
    engine: OllamaEngine, run: Callable[..., Any]
) -> None:
    endless = {"text": "and then " * 100, "quote": "The council met on Tuesday."}
    prompts = says(engine, draft(key_points=[endless] * 12))
    engine.delay = 0.01
    async with run(note_timeout_seconds=3, note_attempts=2) as stack:
        note = await stack.note(TEXT)
    assert len(prompts) == 2
    assert (note["status"], note["incomplete"]) == ("ready", True)
    assert note["content"]["decisions"]
    assert note["warnings"] == ["the model stopped before the end; incomplete or missing: key_points, tags"]


async def test_a_model_that_says_nothing_in_time_fails_the_note(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    says(engine, draft())
    async with run(note_timeout_seconds=0.5, note_attempts=2) as stack:
        engine.script(Fault.hang(), times=2, path="/api/chat")
        note = await stack.note(TEXT)
        job = (await stack.http.get(f"/v1/jobs/{note['job_id']}")).json()
    assert note["status"] == "failed"
    assert job["error"]["detail"] == "the model did not finish within its time budget"


async def test_a_restart_goes_on_with_the_parts_that_are_left(engine: OllamaEngine, run: Callable[..., Any]) -> None:
    text = "\n\n".join(f"{TEXT} This is paragraph {n}." for n in range(60))
    prompts = says(engine, draft())
    engine.delay = 0.02
    async with run(note_part_tokens=400, note_concurrency=1) as stack:
        note = await stack.note(text, wait=0)
        while (job := (await stack.http.get(f"/v1/jobs/{note['job_id']}")).json())["parts_done"] < 2:
            assert job["status"] in ("queued", "running")
    engine.delay = 0
    async with run(note_part_tokens=400, note_concurrency=1) as stack:
        job = await stack.ended(note["job_id"])
        assert job["status"] == "ready"
    assert sum("paragraph 0." in prompt for prompt in prompts) == 1
    assert sum("paragraph 59." in prompt for prompt in prompts) == 1
