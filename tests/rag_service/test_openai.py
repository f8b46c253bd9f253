"""The OpenAI-compatible endpoint, with OpenAI's own SDK as the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from harness.rag import KEY

TEXT = "# Library\n\nBooks are lent for three weeks. A fine of ten cents a day is due after that.\n"


@pytest.fixture
async def client(stack: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    await stack.add(TEXT, "Library")
    async with openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found


async def test_collections_are_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id for model in (await client.models.list()).data] == [
        "default",
        "switchyard/direct",
        "switchyard/embeddings",
    ]
    assert (await client.models.retrieve("default")).owned_by == "switchyard"
    for name in ("switchyard/direct", "switchyard/embeddings"):
        assert (await client.models.retrieve(name)).id == name


async def test_an_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "For how long are books lent?"}]
    )
    assert "three weeks" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model_extra is not None
    assert answer.model_extra["switchyard"]["citations"][0]["quote"] == "Books are lent for three weeks."


async def test_a_stream_with_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="default",
        messages=[
            {"role": "user", "content": "Tell me about books."},
            {"role": "assistant", "content": "They are lent."},
            {"role": "user", "content": "What is the fine a day?"},
        ],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "ten cents" in text
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


async def test_errors_are_the_sdks_own(client: openai.AsyncOpenAI, stack: Any) -> None:
    question: Any = [{"role": "user", "content": "Hello?"}]
    with pytest.raises(openai.NotFoundError, match="no collection"):
        await client.chat.completions.create(model="nowhere", messages=question)
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        await client.chat.completions.create(model="default", messages=[{"role": "system", "content": "x"}])
    assert caught.value.param == "messages"
