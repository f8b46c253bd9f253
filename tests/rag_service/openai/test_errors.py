"""Errors in OpenAI's form, wherever they come from, and in mid-stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from engines import Fault, OpenAIEngine
from harness.rag import KEY, Stack
from rag_service.routes.openai.errors import openai_error
from service_kit.state import service_state

DIRECT = "switchyard/direct"
HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
CHAT = {"model": DIRECT, "messages": HELLO}
NONE = {"Authorization": ""}


def assert_error(answer: Any, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] == body["detail"] != ""
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert body["request_id"] == answer.headers["x-request-id"]
    return dict(error)


async def test_keys(scripted: Stack) -> None:
    for method, path in (
        ("GET", "/v1/models"),
        ("GET", "/v1/models/switchyard/direct"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
    ):
        answer = await scripted.http.request(method, path, headers=NONE)
        assert_error(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    bound = {"Authorization": f"Bearer {service_state(scripted.app).keys.create('guest', 'user', ['public'])}"}
    for path, body in (("/v1/chat/completions", {**CHAT, "model": "default"}),):
        assert_error(await scripted.http.post(path, json=body, headers=bound), 403, "forbidden", "model")
    pinned = {**bound, "X-Switchyard-Backend": "vllm"}
    answer = await scripted.http.post("/v1/chat/completions", json=CHAT, headers=pinned)
    assert_error(answer, 403, "forbidden", "X-Switchyard-Backend")


async def test_unknown_models_paths_and_methods(scripted: Stack) -> None:
    http = scripted.http
    assert_error(await http.get("/v1/models/no/such/model"), 404, "model_not_found", "model")
    assert_error(
        await http.post("/v1/chat/completions", json={**CHAT, "model": "gpt-4o"}), 404, "model_not_found", "model"
    )
    assert_error(await http.post("/v1/embeddings", json={"model": "x", "input": "x"}), 404, "model_not_found", "model")
    for path in ("/v1/completions", "/v1/responses", "/v1/chat", "/v1/chat/nothing", "/v1/embeddings/more"):
        assert_error(await http.post(path, json={}), 404, "not_found")
    assert_error(await http.delete("/v1/models"), 405, "method_not_allowed")


async def test_bodies_that_are_none(scripted: Stack) -> None:
    head = {"Content-Type": "application/json"}
    for path in ("/v1/chat/completions", "/v1/embeddings"):
        for content in (b"{", b"", b"[]"):
            answer = await scripted.http.post(path, content=content, headers=head)
            assert answer.status_code == 422
            assert answer.json()["error"]["code"] == "invalid_input"
        assert_error(await scripted.http.post(path, content=b"[" * 200_000, headers=head), 422, "invalid_input", "body")
        assert_error(await scripted.http.post(path, content=b"x" * 6_000_000, headers=head), 413, "too_large")
    answer = await scripted.http.post("/v1/chat/completions", json={"model": DIRECT, "messages": []})
    assert_error(answer, 422, "invalid_input", "messages")
    answer = await scripted.http.post("/v1/chat/completions", json={**CHAT, "messages": [{"role": "king"}]})
    assert_error(answer, 422, "invalid_input", "messages.0.role")


async def test_failures_of_the_engine(scripted: Stack, engine: OpenAIEngine) -> None:
    async def ask(**more: Any) -> Any:
        return await scripted.http.post("/v1/chat/completions", json={**CHAT, **more})

    for stream in (False, True):
        engine.script(Fault.refused(400, "no such grammar"), path="/chat/completions")
        assert_error(await ask(stream=stream), 422, "rejected_by_model_server")
    too_long = [{"role": "user", "content": "word " * 39_000}]
    engine.context = 4096
    assert_error(await ask(messages=too_long), 413, "context_length_exceeded")
    engine.always(Fault.rate_limited(3), path="/chat/completions")
    answer = await ask()
    assert_error(answer, 503, "provider_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_fault_of_ours_is_said_in_the_format_without_its_words(scripted: Stack) -> None:
    # Stands for any bug: what the routes need is not there.
    del scripted.app.state.rag
    answer = await scripted.http.get("/v1/models")
    assert_error(answer, 500, "internal_error")
    assert "rag" not in answer.json()["error"]["message"]


async def test_other_paths_keep_problem_details(scripted: Stack) -> None:
    answer = await scripted.http.get("/v1/documents/none")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "error" not in answer.json()


async def test_behind_the_gateway_too(scripted: Stack) -> None:
    answer = await scripted.http.get("/v1/models/none", headers={"X-Forwarded-Prefix": "/rag"})
    assert_error(answer, 404, "model_not_found", "model")


@pytest.mark.parametrize("fault", [Fault.cut(2), Fault.error_line(2), Fault.malformed(2)])
async def test_a_stream_that_breaks_ends_with_an_error(scripted: Stack, engine: OpenAIEngine, fault: Fault) -> None:
    # Always: the engine is asked to go on where it broke off.
    engine.always(fault, path="/chat/completions")
    async with scripted.http.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
        assert answer.status_code == 200
        lines = [line async for line in answer.aiter_lines() if line]
    error = json.loads(lines[-1].removeprefix("data: "))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "server_error"
    assert "data: [DONE]" not in lines

    async with openai.AsyncOpenAI(base_url=f"{scripted.url}/v1", api_key=KEY, max_retries=0) as client:
        stream = await client.chat.completions.create(model=DIRECT, messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match=r".+"):
            async for _ in stream:
                pass


async def test_a_stream_of_a_service_that_stops_ends_with_an_error(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.always(Fault.hang(2), path="/chat/completions")
    lines: list[str] = []

    async def listen() -> None:
        async with scripted.http.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as stream:
            async for line in stream.aiter_lines():
                lines.append(line)  # noqa: PERF401 (read while they come)

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(20):
        while sum('"content": "' in line for line in lines) < 2:
            await asyncio.sleep(0.05)
    scripted.server.should_exit = True
    await asyncio.wait_for(listening, 20)
    last = [line for line in lines if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_unavailable"


def test_too_many_requests_has_a_type_of_its_own() -> None:
    problem = {"status": 429, "type": "urn:switchyard:problem:too-many-requests", "detail": "slower"}
    assert openai_error(problem) == {
        "message": "slower",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
