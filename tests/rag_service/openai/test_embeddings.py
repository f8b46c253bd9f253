"""`/v1/embeddings`: vectors of the model in use and of a collection's index, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import openai
import pytest

from engines import Fault, OpenAIEngine, answers
from harness.rag import Stack

MODEL = "switchyard/embeddings"
PREFIXES = {"document": "search_document: ", "query": "search_query: "}


async def vectors(stack: Stack, **given: Any) -> Any:
    answer = await stack.http.post("/v1/embeddings", json={"model": MODEL, **given})
    assert answer.status_code == 200, answer.text
    return np.array([item["embedding"] for item in answer.json()["data"]])


async def test_texts_become_vectors_in_their_order(client: openai.AsyncOpenAI) -> None:
    texts = [f"text {number}" for number in range(150)]
    for encoding in ("float", "base64"):
        answer = await client.embeddings.create(model=MODEL, input=texts, encoding_format=encoding)  # type: ignore[arg-type]
        assert [item.index for item in answer.data] == list(range(150))
        rows: list[Any] = [item.embedding for item in answer.data]
        if encoding == "base64":
            rows = [np.frombuffer(base64.b64decode(row), "<f4") if isinstance(row, str) else row for row in rows]
        expected = [answers.vector(f"{PREFIXES['document']}{text}", 64) for text in texts]
        assert np.allclose(rows, expected, atol=1e-5)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 150
    one = await client.embeddings.create(model=MODEL, input="text 7", dimensions=64, user="anna")
    assert np.allclose(one.data[0].embedding, rows[7], atol=1e-5)


async def test_models_are_named_by_collection_and_by_themselves(filled: Stack) -> None:
    expected = await vectors(filled, input="books")
    for name in ("default", "nomic-embed-text", "nomic-embed-text:latest"):
        assert np.allclose(await vectors(filled, model=name, input="books"), expected)
    asked = await vectors(filled, model="default", input="books", input_type="query")
    assert np.allclose(asked[0], answers.vector(f"{PREFIXES['query']}books", 64), atol=1e-5)


async def test_a_text_too_long_for_the_model_is_read_in_parts(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.context = 200
    (vector,) = await vectors(scripted, input="word " * 600)
    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", " \x00"]}, "input"),
        ({"input": ["a", None]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": ["a" * 600_000] * 2}, "input"),
        ({"input": "a", "dimensions": 32}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "truncate": True}, "truncate"),
        ({}, "input"),
    ],
)
async def test_what_is_refused(scripted: Stack, given: dict[str, Any], param: str) -> None:
    answer = await scripted.http.post("/v1/embeddings", json={"model": MODEL, **given})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param


async def test_a_collection_without_vectors_says_so(scripted: Stack) -> None:
    answer = await scripted.http.post("/v1/embeddings", json={"model": "default", "input": "a"})
    assert answer.status_code == 404
    assert "no vectors yet" in answer.json()["error"]["message"]


async def test_an_engine_that_is_away(scripted: Stack, engine: OpenAIEngine) -> None:
    await vectors(scripted, input="a")
    engine.always(Fault.busy(), path="/embeddings")
    answer = await scripted.http.post("/v1/embeddings", json={"model": MODEL, "input": "a"})
    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "server_error"
