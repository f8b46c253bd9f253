"""What is particular to vLLM and its dialect of OpenAI's protocol."""

from __future__ import annotations

import pytest

from engines import Fault, OpenAIEngine
from engines.contract import SCHEMA, ask, assert_whole, collect, soon
from llm_providers import VLLMProvider
from llm_providers.backends._errors import error_in_stream
from llm_providers.errors import (
    ContextLengthExceeded,
    InvalidResponse,
    ModelNotFound,
    Overloaded,
    RequestRejected,
    StreamBroken,
)
from llm_providers.types import ChatRequest, EmbedKind, Message, Source

JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


async def test_what_is_asked_for_arrives(vllm: VLLMProvider, openai_engine: OpenAIEngine) -> None:
    request = ChatRequest(
        (Message("system", "Be brief."), Message("user", "What is it?", (Source("1", "t", "x"),), (JPEG,))),
        max_tokens=33,
        temperature=0.7,
        stop=("END",),
        seed=7,
        top_p=0.9,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        json_schema=SCHEMA,
    )
    assert_whole(await collect(vllm.chat(request, soon())))
    body = openai_engine.requests("/chat/completions")[-1].body
    assert (body["max_tokens"], body["temperature"], body["stop"], body["seed"]) == (33, 0.7, ["END"], 7)
    assert (body["top_p"], body["presence_penalty"], body["frequency_penalty"]) == (0.9, 0.5, -0.5)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    image, text = body["messages"][1]["content"]
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert '<source label="1" title="t">' in text["text"]


async def test_usage_is_the_engines_own_count(vllm: VLLMProvider) -> None:
    done = assert_whole(await collect(vllm.chat(ask("one two three"), soon())))
    assert (done.usage.prompt_tokens, done.usage.estimated) == (3, False)


async def test_the_key_is_sent_and_a_server_without_one_does_not_mind(openai_engine: OpenAIEngine) -> None:
    openai_engine.api_key = "secret"
    provider = VLLMProvider(openai_engine.api, "llama3.2", api_key="secret")
    assert_whole(await collect(provider.chat(ask(), soon())))
    await provider.aclose()


@pytest.mark.parametrize("path", ["/embeddings", "/rerank"])
async def test_malformed_answers_are_no_answers(vllm: VLLMProvider, openai_engine: OpenAIEngine, path: str) -> None:
    openai_engine.script(Fault.malformed(), path=path)
    with pytest.raises(InvalidResponse):
        await (vllm.embed(["a"], EmbedKind.QUERY, soon()) if "emb" in path else vllm.rerank("a", ["b"], 1, soon()))
    assert (await vllm.rerank("a", ["a"], 1, soon()))[0].index == 0


async def test_a_refusal_inside_the_stream_has_the_type_of_its_code() -> None:
    """A full vLLM answers 200 and then says 503 in the stream."""
    for code, expected in ((503, Overloaded), (400, RequestRejected), (404, ModelNotFound), (500, StreamBroken)):
        assert type(error_in_stream({"message": "no", "code": code}, "vllm")) is expected
    assert type(error_in_stream({"message": "maximum context length", "code": 400}, "vllm")) is ContextLengthExceeded
    assert type(error_in_stream("died", "vllm")) is StreamBroken
    assert type(error_in_stream({"message": "died", "code": None}, "vllm")) is StreamBroken
