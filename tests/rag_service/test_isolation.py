"""Rights inside retrieval: whatever a key asks, nothing of a collection that it is not bound to comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from engines import OpenAIEngine
from harness.rag import Stack
from service_kit.state import service_state

NAMES = ("red", "green", "blue")
BOUND = (("red",), ("green",), ("red", "blue"))
CHECKS = 1000
TEXT = (
    "# Plan of {name}\n\nThe code word of this year is zq{name}wx. The pump of hall {number} was inspected in spring, and costs "
    "{number}00 euros.\n\n| Item | Price |\n| --- | --- |\n| Valve zq{name}wx | {number} |\n| Pump | 1{number} |\n"
)
QUESTIONS = (
    "What is the code word of this year?",
    "Which pump was inspected in spring?",
    "Which item has the highest price?",
    "Summarise the plan of {name}",
    "What is zq{name}wx?",
    "Compare the plan of red and the plan of green",
)


@pytest.fixture
async def secrets(stack: Stack) -> dict[str, set[str]]:
    """The words and ids of each collection that no other key may see."""
    found = {}
    for number, name in enumerate(NAMES, 1):
        await stack.http.post("/v1/collections", json={"name": name})
        job = await stack.add(TEXT.format(name=name, number=number), f"Plan of {name}", name)
        conversation = (await stack.query(QUESTIONS[0], collection=name, remember=True))["conversation_id"]
        found[name] = {f"zq{name}wx", str(job["document_id"]), str(job["id"]), str(conversation)}
    return found


def requests(roll: random.Random, secrets: dict[str, set[str]]) -> tuple[str, str, dict[str, Any] | None]:
    """A request at random: of a collection, or for an id, that may or may not be the key's."""
    name = roll.choice(NAMES)
    question = roll.choice(QUESTIONS).format(name=name)
    own = {"collection": name} if roll.random() < 0.8 else {}
    document, job = (next(each for each in secrets[name] if each.startswith(kind)) for kind in ("doc_", "job_"))
    conversation = next(each for each in secrets[name] if each.startswith("conv_"))
    made: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/v1/search", {"question": question, **own}),
        ("POST", "/v1/search", {"question": question, **own, "filter": {"documents": [document]}}),
        ("POST", "/v1/query", {"question": question, **own}),
        ("POST", "/v1/query", {"question": question, "conversation_id": conversation, **own}),
        ("POST", "/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": question}]}),
        ("POST", "/v1/embeddings", {"model": name, "input": [question]}),
        ("GET", "/v1/documents", None),
        ("GET", f"/v1/documents?collection={name}", None),
        ("GET", f"/v1/documents/{document}", None),
        ("GET", f"/v1/documents/{document}/pages", None),
        ("GET", f"/v1/documents/{document}/original", None),
        ("GET", f"/v1/jobs/{job}", None),
        ("GET", "/v1/collections", None),
        ("GET", f"/v1/collections/{name}", None),
        ("GET", "/v1/conversations", None),
        ("GET", f"/v1/conversations/{conversation}", None),
        ("GET", "/v1/models", None),
        ("GET", f"/v1/models/{name}", None),
    ]
    return roll.choice(made)


@pytest.mark.security
async def test_a_thousand_requests_show_nothing_of_other_collections(
    stack: Stack, secrets: dict[str, set[str]]
) -> None:
    roll = random.Random(20261126)
    store = service_state(stack.app).keys
    keys = [(bound, store.create("user", "user", bound)) for bound in BOUND]
    seen_own, leaks = 0, []
    async with httpx2.AsyncClient(base_url=stack.url, timeout=60) as http:
        for _ in range(CHECKS):
            bound, key = roll.choice(keys)
            method, path, body = requests(roll, secrets)
            answer = await http.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code < 500, (path, answer.text)
            # What the request itself names is no news.
            shown, asked = answer.text, f"{path} {body}"
            for name in set(NAMES) - set(bound):
                leaks += [(bound, path, body, each) for each in secrets[name] if each in shown and each not in asked]
            seen_own += any(each in shown for name in bound for each in secrets[name])
    assert leaks == []
    assert seen_own > CHECKS // 10


async def test_a_revoked_key_ends_its_open_streams(
    scripted: Stack, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.sse._RECHECK_SECONDS", 0.2)
    engine.delay = 0.05
    engine.answer = lambda prompt: "word " * 2000
    await scripted.add("The ferry leaves at nine from the old pier.")
    store = service_state(scripted.app).keys
    key = store.create("user", "user", ["default"])
    (identity,) = (each.id for each in store.all() if each.name == "user")
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    body = {"question": "When does the ferry leave?"}
    lines = list[str]()
    async with httpx2.AsyncClient(base_url=scripted.url, timeout=60) as http:
        async with http.stream("POST", "/v1/query", json=body, headers=headers) as stream:
            async for line in stream.aiter_lines():
                lines.append(line)
                if len(lines) == 10:
                    store.revoke(identity)
        assert len(lines) < 1000
        assert [line for line in lines if line.startswith("event: ")][-1] == "event: error"
        assert (await http.post("/v1/query", json=body, headers=headers)).status_code == 401
    await until(lambda: engine.requests("/chat/completions")[-1].cancelled)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.05)
