"""The scripted engines themselves: they speak as the real ones do, and can be a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import jsonschema
import numpy as np
import pytest

from engines import Fault, OllamaEngine, OpenAIEngine
from engines.answers import instance, last_tokens, pieces, vector
from engines.real_server import free_port


def post(url: str, body: dict[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


CHAT = {"model": "llama3.2", "messages": [{"role": "user", "content": "one two"}]}


def test_ollama_streams_lines_and_ends_with_done() -> None:
    with OllamaEngine() as engine:
        status, text = post(f"{engine.url}/api/chat", CHAT)
        lines = [json.loads(line) for line in text.splitlines()]
        assert status == 200
        assert "".join(line["message"]["content"] for line in lines) == "You said: one two"
        assert [line["done"] for line in lines] == [False] * 4 + [True]
        assert (lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == (2, 4)


def test_ollama_has_its_other_endpoints() -> None:
    with OllamaEngine() as engine:
        assert json.loads(get(f"{engine.url}/api/version"))["version"]
        assert "llama3.2" in get(f"{engine.url}/api/tags")
        assert json.loads(get(f"{engine.url}/api/ps")) == {"models": []}
        whole = json.loads(post(f"{engine.url}/api/generate", {"model": "llava", "prompt": "a", "stream": False})[1])
        assert whole["response"] == "You said: a"
        assert post(f"{engine.url}/api/show", {"model": "new"})[0] == 404
        pulled = [json.loads(line) for line in post(f"{engine.url}/api/pull", {"model": "new"})[1].splitlines()]
        assert pulled[-1] == {"status": "success"}
        assert post(f"{engine.url}/api/show", {"model": "new"})[0] == 200
        engine.script(Fault.error_line(message="no space"), path="/api/pull")
        assert json.loads(post(f"{engine.url}/api/pull", {"model": "other"})[1]) == {"error": "no space"}
        assert "llava" in get(f"{engine.url}/api/ps")


def test_vllm_streams_events_and_ends_with_done() -> None:
    with OpenAIEngine() as engine:
        _, text = post(
            f"{engine.api}/chat/completions", CHAT | {"stream": True, "stream_options": {"include_usage": True}}
        )
        payloads = [line.removeprefix("data: ") for line in text.splitlines() if line]
        assert payloads[-1] == "[DONE]"
        chunks = [json.loads(payload) for payload in payloads[:-1]]
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["completion_tokens"] == 4
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_vllm_has_its_other_endpoints() -> None:
    with OpenAIEngine() as engine:
        assert get(f"{engine.url}/health") == ""
        assert json.loads(post(f"{engine.url}/tokenize", {"prompt": "a b c"})[1])["count"] == 3
        assert "vllm:num_requests_running" in get(f"{engine.url}/metrics")
        assert json.loads(get(f"{engine.api}/models"))["data"][0]["max_model_len"] == engine.context
        whole = json.loads(post(f"{engine.api}/chat/completions", CHAT)[1])
        assert whole["choices"][0]["message"]["content"] == "You said: one two"
        assert post(f"{engine.api}/chat/completions", CHAT | {"max_tokens": 99999})[0] == 400
        assert post(f"{engine.api}/chat/completions", CHAT | {"model": "x"})[0] == 404


def test_a_fault_strikes_as_often_as_scripted_and_where() -> None:
    with OpenAIEngine() as engine:
        engine.script(Fault.busy(), times=2, path="/completions")
        assert get(f"{engine.url}/health") == ""
        assert [post(f"{engine.api}/chat/completions", CHAT)[0] for _ in range(3)] == [503, 503, 200]
        engine.always(Fault.rate_limited(2))
        assert [post(f"{engine.api}/chat/completions", CHAT)[0] for _ in range(2)] == [429, 429]
        engine.heal()
        assert post(f"{engine.api}/chat/completions", CHAT)[0] == 200
        assert [seen.outcome for seen in engine.requests("/completions")] == ["status"] * 2 + ["done"] + [
            "status"
        ] * 2 + ["done"]


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string", "minLength": 40, "maxLength": 50}}, "required": ["a"]},
    {"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 2},
    {"anyOf": [{"type": "null"}, {"type": "number", "minimum": 0.5}]},
    {"type": ["string", "null"], "format": "date"},
    {
        "$defs": {"x": {"enum": ["p", "q"]}},
        "type": "object",
        "properties": {"k": {"$ref": "#/$defs/x"}, "b": {"type": "boolean"}},
    },
    {"const": 5},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_an_instance_validates(schema: dict[str, Any]) -> None:
    jsonschema.validate(instance(schema, "some words of a prompt", schema), schema)


def test_pieces_concatenate_and_vectors_are_units_of_their_seed() -> None:
    assert "".join(pieces("  a\n b  c ")) == "  a\n b  c "
    assert last_tokens("a b, c d", 3) == ", c d"
    assert np.linalg.norm(vector("a b", 64)) == pytest.approx(1.0, abs=1e-6)
    assert vector("a b", 64) @ vector("a b", 64, seed=1) < 0.5
    assert vector("the ferry leaves", 64) @ vector("the ferry leaves late", 64) > vector(
        "the ferry leaves", 64
    ) @ vector("x", 64)


@pytest.fixture(params=["ollama", "vllm"])
def process(request: pytest.FixtureRequest) -> Iterator[str]:
    """An engine in a process of its own; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", f"engines.{request.param}", "--port", str(port), "--dimension", "8"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as running:
        url, limit = f"http://127.0.0.1:{port}", monotonic() + 20
        while True:
            try:
                get(f"{url}/_requests")
                break
            except OSError:
                assert monotonic() < limit, "the engine did not start"
                sleep(0.05)
        yield url
        running.terminate()


def test_an_engine_is_scripted_from_outside(process: str) -> None:
    native = "/api/chat" if "Ollama" in _root(process) else "/v1/chat/completions"
    fault = {"kind": "status", "status": 503, "message": "busy"}
    post(f"{process}/_script", {"fault": fault, "times": 1, "path": native})
    assert [post(f"{process}{native}", CHAT)[0] for _ in range(2)] == [503, 200]
    post(f"{process}/_script", {"fault": fault})
    assert [post(f"{process}{native}", CHAT)[0] for _ in range(2)] == [503, 503]
    post(f"{process}/_script", {})
    assert post(f"{process}{native}", CHAT)[0] == 200
    assert {seen["path"] for seen in json.loads(get(f"{process}/_requests"))} >= {native}


def _root(url: str) -> str:
    try:
        return get(url)
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
