"""Each parameter of a chat request is honoured, refused by name, or documented to be without effect."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from engines import OpenAIEngine
from harness.rag import Stack
from rag_service.routes.openai.schemas import CompletionIn

DIRECT = "switchyard/direct"
HELLO: list[Any] = [{"role": "user", "content": "How long are books lent?"}]
SCHEMA = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}


def last_body(engine: OpenAIEngine) -> dict[str, Any]:
    return dict(engine.requests("/chat/completions")[-1].body)


async def test_what_a_model_is_told_arrives_there(client: openai.AsyncOpenAI, engine: OpenAIEngine) -> None:
    sampling: dict[str, Any] = {
        "temperature": 0.9,
        "top_p": 0.8,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "seed": 7,
        "stop": ["ten", "never"],
    }
    answer = await client.chat.completions.create(
        model=DIRECT, messages=HELLO, max_completion_tokens=50, max_tokens=60, **sampling
    )
    assert answer.choices[0].message.content == "Three weeks, and "
    body = last_body(engine)
    assert {name: body[name] for name in sampling} == sampling
    assert body["max_tokens"] == 50


async def test_a_collection_honours_the_same(filled: Stack, engine: OpenAIEngine) -> None:
    sampling = {"temperature": 0.0, "top_p": 0.8, "seed": 7, "stop": ["ten"]}
    body = {"model": "default", "messages": HELLO, "max_tokens": 99, **sampling, "response_format": {"type": "text"}}
    answer = (await filled.http.post("/v1/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"] == "Three weeks, and [1]"
    assert {name: last_body(engine)[name] for name in sampling} == sampling
    assert last_body(engine)["max_tokens"] == 99


async def test_a_question_is_condensed_without_the_answers_parameters(filled: Stack, engine: OpenAIEngine) -> None:
    history = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    body = {"model": "default", "messages": [*history, *HELLO], "stop": "ten", "temperature": 1.5}
    assert (await filled.http.post("/v1/chat/completions", json=body)).status_code == 200
    condensing, answering = (seen.body for seen in engine.requests("/chat/completions")[-2:])
    assert "stop" not in condensing
    assert condensing["temperature"] == 0
    assert (answering["stop"], answering["temperature"]) == (["ten"], 1.5)


async def test_nulls_are_defaults(client: openai.AsyncOpenAI, scripted: Stack, engine: OpenAIEngine) -> None:
    await client.chat.completions.create(model=DIRECT, messages=HELLO)
    default = last_body(engine)
    names = set(CompletionIn.model_fields) - {"model", "messages"} | {"n", "tools", "logprobs", "unheard_of"}
    body = {"model": DIRECT, "messages": HELLO, **dict.fromkeys(names)}
    answer = await scripted.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert last_body(engine) == default


async def test_json_is_made_to_a_schema(client: openai.AsyncOpenAI, engine: OpenAIEngine) -> None:
    answer = await client.chat.completions.create(
        model=DIRECT,
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "loan", "schema": SCHEMA, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content or "") == {"days": 1}
    assert last_body(engine)["response_format"]["json_schema"]["schema"] == SCHEMA
    await client.chat.completions.create(model=DIRECT, messages=HELLO, response_format={"type": "json_object"})
    assert last_body(engine)["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"top_k": 5}, "top_k"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"stream": "perhaps"}, "stream"),
    ],
)
async def test_what_is_not_honoured_is_refused_by_name(scripted: Stack, given: dict[str, Any], param: str) -> None:
    for model in (DIRECT, "default"):
        answer = await scripted.http.post("/v1/chat/completions", json={"model": model, "messages": HELLO, **given})
        assert answer.status_code == 422, answer.text
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["param"].split(".")[0] == param
        assert param in error["message"]


async def test_json_from_a_collection_is_refused_with_a_reason(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="switchyard/direct answers in JSON") as caught:
        await client.chat.completions.create(model="default", messages=HELLO, response_format={"type": "json_object"})
    assert caught.value.param == "response_format"


async def test_what_is_without_effect_is_taken_and_documented(scripted: Stack) -> None:
    harmless = {
        "user": "anna",
        "metadata": {"a": "b"},
        "store": True,
        "service_tier": "auto",
        "safety_identifier": "x",
        "prompt_cache_key": "x",
        "prompt_cache_retention": "24h",
        "prediction": {"type": "content", "content": "x"},
        "parallel_tool_calls": False,
    }
    neutral = {"n": 1, "logprobs": False, "tools": [], "tool_choice": "none", "logit_bias": {}, "modalities": ["text"]}
    body = {"model": DIRECT, "messages": HELLO, **harmless, **neutral}
    assert (await scripted.http.post("/v1/chat/completions", json=body)).status_code == 200
    schema = (await scripted.http.get("/openapi.json")).json()["components"]["schemas"]["CompletionIn"]
    assert all(f"`{name}`" in schema["description"] for name in harmless)
