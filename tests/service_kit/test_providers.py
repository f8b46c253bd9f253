"""`/v1/providers`: the policy by HTTP, and what callers of a service see of a change."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from engines import Fault, OllamaEngine, OpenAIEngine
from harness.rag import KEY, ScriptedProcessor, Stack, running
from service_kit.keys import Grant, KeyStore, Scope

ANSWER = "The ferry leaves at nine [1] from the old pier, and tickets are sold on board [1]."


@pytest.fixture
def ollama() -> Iterator[OllamaEngine]:
    with OllamaEngine(answer=lambda _: ANSWER, context=8192) as engine:
        yield engine


@pytest.fixture
def vllm() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(answer=lambda _: ANSWER, context=8192) as engine:
        yield engine


@pytest.fixture
def environment(ollama: OllamaEngine, vllm: OpenAIEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LLM_PROVIDER": "ollama",
        "OLLAMA_URL": ollama.url,
        "VLLM_URL": vllm.api,
        "VLLM_MODEL": "llama3.2",
        "VLLM_EMBED_URL": vllm.api,
        "VLLM_EMBED_MODEL": "nomic-embed-text",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def stack(tmp_path: Path, environment: None) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data", ScriptedProcessor()) as found:
        await found.add("The ferry leaves at nine from the old pier. Tickets are sold on board.")
        yield found


async def change(stack: Stack, why: str = "a test", **text: Any) -> httpx2.Response:
    now = (await stack.http.get("/v1/providers")).json()
    policy = {"roles": {"text": {**now["policy"]["roles"]["text"], **text}}}
    return await stack.http.put("/v1/providers", json={"revision": now["revision"], "why": why, "policy": policy})


async def events(stack: Stack, headers: dict[str, str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    wanted = {"Accept": "text/event-stream", **(headers or {})}
    body = {"question": "When does the ferry leave?"}
    async with stack.http.stream("POST", "/v1/query", json=body, headers=wanted) as answer:
        assert answer.status_code == 200, await answer.aread()
        text = (await answer.aread()).decode()
    frames = [frame.split("\n", 1) for frame in text.split("\n\n") if frame.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in frames]


async def provider_of(stack: Stack, headers: dict[str, str] | None = None) -> str:
    name, data = (await events(stack, headers))[-1]
    assert name == "done", data
    return str(data["provider"])


async def test_figures_name_the_replica_that_they_are_of(stack: Stack) -> None:
    """Windows of canary and shadow are each replica's own: two answers may differ, and say why."""
    view = (await stack.http.get("/v1/providers")).json()
    assert view["replica"] == f"{socket.gethostname()}:{os.getpid()}"
    assert view["running"]["text"]["ollama"] == 0


async def test_what_the_environment_says_is_the_first_policy(stack: Stack) -> None:
    shown = (await stack.http.get("/v1/providers")).json()
    assert shown["revision"] == 1
    assert shown["changed"]["by"] == "environment"
    assert shown["policy"]["roles"]["text"]["stable"] == "ollama"
    assert shown["backends"]["vllm"] == ["embeddings", "text"]
    assert shown["roles"]["text"]["backend"] == "ollama"
    assert shown["canary"]["text"] is None
    assert shown["fault"] is None
    health = (await stack.http.get("/health")).json()
    assert health["policy_revision"] == 1
    assert await provider_of(stack) == "ollama"


async def test_a_change_is_in_effect_at_once_and_on_record(stack: Stack) -> None:
    answer = await change(stack, "faster", stable="vllm", fallbacks=["ollama"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["revision"] == 2
    assert await provider_of(stack) == "vllm"
    rows = (await stack.http.get("/v1/providers/audit")).json()["items"]
    assert [(row["revision"], row["why"]) for row in rows] == [(2, "faster"), (1, "LLM_PROVIDER=ollama")]
    assert rows[0]["by"].startswith("environment (")
    assert rows[0]["before"]["roles"]["text"]["stable"] == "ollama"
    metrics = (await stack.http.get("/metrics")).text
    assert "switchyard_policy_revision 2.0" in metrics
    assert 'switchyard_provider_active{backend="vllm",role="text"} 1.0' in metrics


async def test_it_outlives_a_restart_and_the_environment(tmp_path: Path, environment: None) -> None:
    async with running(tmp_path / "data", ScriptedProcessor()) as first:
        await change(first, stable="vllm")
    async with running(tmp_path / "data", ScriptedProcessor()) as again:
        assert (await again.http.get("/v1/providers")).json()["policy"]["roles"]["text"]["stable"] == "vllm"


async def test_a_stale_change_is_a_conflict_that_says_who_was_first(stack: Stack) -> None:
    await change(stack, "first", stable="vllm")
    body = {"revision": 1, "why": "second", "policy": {"roles": {"text": {"stable": "ollama"}}}}
    answer = await stack.http.put("/v1/providers", json=body)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:switchyard:problem:stale-policy"
    assert "revision 2, not 1" in answer.json()["detail"]
    assert "(first)" in answer.json()["detail"]


async def test_what_cannot_be_is_refused_by_field(stack: Stack, subtests: pytest.Subtests) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"text": {"stable": "gpt"}}, "policy.roles.text.stable"),
        ({"text": {"stable": "ollama", "fallbacks": ["gpt"]}}, "policy.roles.text.fallbacks"),
        ({"vision": {"stable": "vllm"}}, "policy.roles.vision.stable"),
        ({"rerank": {"stable": "embedded"}}, "policy.roles"),
        ({"text": {"stable": "ollama", "canary_percent": 5}}, "policy.roles.text"),
        ({"text": {"stable": "ollama", "colour": "red"}}, "policy.roles.text.colour"),
        ({"poetry": {"stable": "ollama"}}, "policy.roles.poetry.[key]"),
    ]
    for roles, field in refused:
        with subtests.test(field):
            body = {"revision": 1, "why": "x", "policy": {"roles": roles}}
            answer = await stack.http.put("/v1/providers", json=body)
            assert answer.status_code == 422, answer.text
            assert answer.json()["field"] == field
            assert (await stack.http.get("/v1/providers")).json()["revision"] == 1


async def test_what_is_left_out_stays_as_it_is(stack: Stack) -> None:
    await change(stack, halted=True, on_break="restart", previous="vllm")
    body = {
        "revision": 2,
        "why": "x",
        "policy": {"roles": {"text": {"fallbacks": ["vllm"]}}, "gates": {"max_error_rate": 0.2}},
    }
    text = (await stack.http.put("/v1/providers", json=body)).json()["policy"]
    assert text["roles"]["text"]["halted"]
    assert (text["roles"]["text"]["on_break"], text["roles"]["text"]["fallbacks"]) == ("restart", ["vllm"])
    body = {"revision": 3, "why": "x", "policy": {"gates": {"min_requests": 5}}}
    gates = (await stack.http.put("/v1/providers", json=body)).json()["policy"]["gates"]
    assert (gates["max_error_rate"], gates["min_requests"]) == (0.2, 5)


async def test_a_users_key_may_look_and_not_touch(stack: Stack) -> None:
    keys = KeyStore(stack.data_dir / "auth")
    plain = {"Authorization": f"Bearer {keys.create('reader', Scope.USER)}"}
    assert (await stack.http.get("/v1/providers", headers=plain)).status_code == 403
    headers = {"Authorization": f"Bearer {keys.create('reader', Scope.USER, grants=[Grant.PROVIDERS])}"}
    assert (await stack.http.get("/v1/providers", headers=headers)).status_code == 200
    body = {"revision": 1, "why": "x", "policy": {"roles": {"text": {"stable": "vllm"}}}}
    assert (await stack.http.put("/v1/providers", json=body, headers=headers)).status_code == 403
    for path in ("audit", "environment"):
        assert (await stack.http.get(f"/v1/providers/{path}", headers=headers)).status_code == 403
    pinned = {**headers, "X-Switchyard-Backend": "vllm"}
    answer = await stack.http.post("/v1/query", json={"question": "When?"}, headers=pinned)
    assert (answer.status_code, answer.json()["field"]) == (403, "X-Switchyard-Backend")


async def test_check_makes_a_real_token(stack: Stack, vllm: OpenAIEngine) -> None:
    answer = await stack.http.post("/v1/providers/check", json={"role": "text", "backend": "vllm"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "llama3.2"
    assert vllm.requests("/chat/completions")[-1].body["max_tokens"] == 1
    vllm.always(Fault.busy(), path="/chat/completions")
    assert (await stack.http.post("/v1/providers/check", json={"backend": "vllm"})).status_code == 503
    assert (await stack.http.post("/v1/providers/check", json={"backend": "gpt"})).status_code == 503


async def test_the_environment_is_what_the_engines_say(stack: Stack, vllm: OpenAIEngine) -> None:
    said = (await stack.http.get("/v1/providers/environment")).json()
    assert said["ollama"]["text"]["model"] == "llama3.2"
    assert said["ollama"]["text"]["version"] == "0.33.0"
    assert said["ollama"]["text"]["digest"]
    assert said["vllm"]["text"]["context_tokens"] == 8192
    assert said["embedded"]["embeddings"]["quantisation"] == "int8"
    vllm.stop()
    assert "error" in (await stack.http.get("/v1/providers/environment")).json()["vllm"]["text"]


async def test_a_pinned_question_goes_there_and_nowhere_else(stack: Stack, vllm: OpenAIEngine) -> None:
    pin = {"X-Switchyard-Backend": "vllm"}
    assert await provider_of(stack, pin) == "vllm"
    vllm.always(Fault.busy(), path="/chat/completions")
    answer = await stack.http.post("/v1/query", json={"question": "When does the ferry leave?"}, headers=pin)
    assert answer.status_code == 503
    answer = await stack.http.post(
        "/v1/query", json={"question": "When does the ferry leave?"}, headers={"X-Switchyard-Backend": "gpt"}
    )
    assert answer.status_code == 422


async def test_a_break_in_mid_stream_is_told_and_the_text_is_whole(stack: Stack, vllm: OpenAIEngine) -> None:
    await change(stack, stable="vllm", fallbacks=["ollama"])
    vllm.always(Fault.cut(after=6), path="/chat/completions")
    told = await events(stack)
    names = [name for name, _ in told]
    assert names.count("failover") == 1
    assert names[-1] == "done"
    assert sum(name in ("done", "error", "cancelled") for name in names) == 1
    failover = dict(told)["failover"]
    assert (failover["from"], failover["to"], failover["restarted"]) == ("vllm", "ollama", False)
    assert "".join(data["text"] for name, data in told if name == "token") == ANSWER
    assert told[-1][1]["text"] == ANSWER
    assert told[-1][1]["provider"] == "ollama"
    assert told[-1][1]["citations"]


async def test_restart_makes_the_tokens_so_far_void(stack: Stack, vllm: OpenAIEngine) -> None:
    await change(stack, stable="vllm", fallbacks=["ollama"], on_break="restart")
    vllm.always(Fault.cut(after=6), path="/chat/completions")
    told = await events(stack)
    at = [name for name, _ in told].index("failover")
    assert told[at][1]["restarted"]
    assert "".join(data["text"] for name, data in told[at:] if name == "token") == ANSWER
    assert told[-1][1]["text"] == ANSWER


async def test_fail_is_one_error_event(stack: Stack, vllm: OpenAIEngine) -> None:
    await change(stack, stable="vllm", fallbacks=["ollama"], on_break="fail")
    vllm.always(Fault.cut(after=6), path="/chat/completions")
    name, data = (await events(stack))[-1]
    assert (name, data["status"]) == ("error", 503)


async def test_an_openai_client_is_told_in_the_last_chunk(stack: Stack, vllm: OpenAIEngine) -> None:
    await change(stack, stable="vllm", fallbacks=["ollama"])
    vllm.always(Fault.cut(after=6), path="/chat/completions")
    async with AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=KEY) as client:
        stream = await client.chat.completions.create(
            model="default", messages=[{"role": "user", "content": "When does the ferry leave?"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    extra = chunks[-1].model_extra
    assert extra is not None
    assert extra["switchyard"]["failovers"] == [{"from": "vllm", "to": "ollama", "reason": "StreamBroken"}]


async def test_the_model_itself_can_be_asked_without_documents(stack: Stack, ollama: OllamaEngine) -> None:
    async with AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=KEY) as client:
        assert "switchyard/direct" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("switchyard/direct")).id == "switchyard/direct"
        answer = await client.chat.completions.create(
            model="switchyard/direct",
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}],
        )
    assert answer.choices[0].message.content == ANSWER
    sent = ollama.requests("/api/chat")[-1].body["messages"]
    assert [(turn["role"], turn["content"]) for turn in sent] == [("system", "Be brief."), ("user", "Hello.")]


async def test_halt_stops_what_runs_and_refuses_what_comes(stack: Stack, ollama: OllamaEngine) -> None:
    ollama.delay = 0.2
    running_answer = asyncio.create_task(events(stack))
    async with asyncio.timeout(10):
        # The answer's own tokens, not the one of the readiness probe.
        while not any(s.sent for s in ollama.requests("/api/chat") if s.body["options"]["num_predict"] > 1):
            await asyncio.sleep(0.01)
    await change(stack, "smoke in the server room", halted=True)
    name, data = (await running_answer)[-1]
    assert name == "cancelled"
    assert "halted" in data["detail"]
    refused = await stack.http.post("/v1/query", json={"question": "When does the ferry leave?"})
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:switchyard:problem:halted"
    assert int(refused.headers["Retry-After"]) > 0
    assert (await stack.http.post("/v1/search", json={"question": "ferry"})).status_code == 200
    assert (await stack.http.get("/readyz")).status_code == 200
    await change(stack, "false alarm", halted=False)
    ollama.delay = 0.0
    assert await provider_of(stack) == "ollama"


async def test_services_that_share_the_file_follow_within_a_second(
    tmp_path: Path, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICY_FILE", str(tmp_path / "shared" / "policy.json"))
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(running(tmp_path / name, ScriptedProcessor())) for name in ("one", "two")
        ]
        await change(one, stable="vllm")
        async with asyncio.timeout(1):
            while (await two.http.get("/v1/providers")).json()["revision"] != 2:
                await asyncio.sleep(0.02)
        assert (await two.http.get("/health")).json()["providers"]["text"]["backend"] == "vllm"
        rows = (await two.http.get("/v1/providers/audit")).json()["items"]
        assert [row["revision"] for row in rows] == [2, 1]


async def test_a_bad_canary_stops_itself_and_says_why(stack: Stack, vllm: OpenAIEngine) -> None:
    vllm.always(Fault.busy(), path="/chat/completions")
    await change(stack, candidate="vllm", canary_percent=100)
    for _ in range(24):
        assert await provider_of(stack) == "ollama"
    async with asyncio.timeout(5):
        while (shown := (await stack.http.get("/v1/providers")).json())["revision"] != 3:
            await asyncio.sleep(0.02)
    assert shown["policy"]["roles"]["text"]["canary_percent"] == 0
    assert shown["changed"]["by"] == "gate"
    assert "share of its requests that failed: 1, limit 0.05" in shown["changed"]["why"]
    assert shown["canary"]["text"]["tripped"][0]["gate"] == "error_rate"
    metrics = (await stack.http.get("/metrics")).text
    assert 'switchyard_canary_trips_total{candidate="vllm",gate="error_rate",role="text"} 1.0' in metrics


async def test_a_shadow_compares_and_keeps_no_text(stack: Stack, vllm: OpenAIEngine) -> None:
    await change(stack, candidate="vllm", shadow_percent=100)
    for _ in range(3):
        assert await provider_of(stack) == "ollama"
    async with asyncio.timeout(10):
        while (shadow := (await stack.http.get("/v1/providers")).json()["shadow"]["text"])["done"] < 3:
            await asyncio.sleep(0.02)
    assert shadow["mean_similarity"] == pytest.approx(1.0, abs=0.01)
    assert shadow["mean_citation_overlap"] == 1.0
    stored = (stack.data_dir / "policy" / "shadow.jsonl").read_text()
    assert len(stored.splitlines()) == 3
    assert "ferry" not in stored


async def test_searches_without_vectors_are_counted(stack: Stack, ollama: OllamaEngine) -> None:
    ollama.always(Fault.other_vectors(), path="/api/embed")
    found = (await stack.http.post("/v1/search", json={"question": "ferry"})).json()
    assert found["degraded"] == ["embeddings"]
    metrics = (await stack.http.get("/metrics")).text
    assert 'switchyard_searches_total{degraded="embeddings"} 1.0' in metrics


async def test_a_document_added_in_a_halt_is_read_all_the_same(stack: Stack) -> None:
    await change(stack, halted=True)
    job = await stack.add("The harbour master keeps the keys.", title="Keys")
    assert job["status"] == "ready"
