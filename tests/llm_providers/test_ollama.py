"""What is particular to Ollama: contexts that must be asked for, prompts that are cut in silence."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from engines import Fault, OllamaEngine
from engines.contract import SCHEMA, ask, assert_whole, collect, soon
from llm_providers import OllamaProvider
from llm_providers.backends._ollama_format import least_tokens
from llm_providers.errors import ContextLengthExceeded, InvalidResponse
from llm_providers.types import ChatRequest, EmbedKind, Message, Source

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def last_chat(engine: OllamaEngine) -> dict[str, Any]:
    return engine.requests("/api/chat")[-1].body


async def chat(provider: OllamaProvider, request: ChatRequest) -> None:
    assert_whole(await collect(provider.chat(request, soon())))


async def test_every_call_asks_for_a_context_that_fits(ollama: OllamaProvider, ollama_engine: OllamaEngine) -> None:
    ollama_engine.context = 100_000
    for words, expected in ((10, 4096), (5000, 8192), (9000, 16384)):
        await chat(ollama, ask("word " * words, max_tokens=100))
        assert last_chat(ollama_engine)["options"]["num_ctx"] == expected


async def test_a_context_is_not_given_back(ollama: OllamaProvider, ollama_engine: OllamaEngine) -> None:
    """Ollama loads a model anew for every other context."""
    ollama_engine.context = 100_000
    await chat(ollama, ask("word " * 5000))
    await chat(ollama, ask("word"))
    assert last_chat(ollama_engine)["options"]["num_ctx"] == 8192


async def test_the_setting_bounds_the_context(ollama_engine: OllamaEngine) -> None:
    ollama_engine.context = 100_000
    provider = OllamaProvider(ollama_engine.url, "llama3.2", max_context=6000)
    assert (await provider.info(soon())).context_tokens == 6000
    await chat(provider, ask("word " * 5000))
    assert last_chat(ollama_engine)["options"]["num_ctx"] == 6000
    with pytest.raises(ContextLengthExceeded, match="6000"):
        await chat(provider, ask("word " * 6000))
    assert len(ollama_engine.requests("/api/chat")) == 1
    await provider.aclose()


async def test_a_prompt_that_the_server_cut_is_flagged(ollama: OllamaProvider, ollama_engine: OllamaEngine) -> None:
    ollama_engine.script(Fault.truncated(keep=100), path="/api/chat")
    done = assert_whole(await collect(ollama.chat(ask("word " * 1000), soon())))
    assert done.warnings == ("prompt_truncated",)
    assert done.usage.prompt_tokens == 100
    assert assert_whole(await collect(ollama.chat(ask("word " * 1000), soon()))).warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 20,
        "Donaudampfschifffahrtsgesellschaftskapitän fährt über die Straße. " * 20,
        "Пароход отходит в девять часов утра и в четыре часа дня. " * 20,
        "船は午前九時と午後四時に出ます。切符は船内で買えます。" * 20,
        "เรือออกเวลาเก้าโมงเช้าและสี่โมงเย็น " * 20,
        "def area(r):\n    return 3.14159 * r ** 2\n" * 20,
        "| 1 | 2 | 3 |\n|---|---|---|\n" * 20,
    ],
)
def test_whole_prompts_are_flagged_in_no_script(text: str, minilm_dir: Path) -> None:
    """What counts as too few tokens is fewer than a tokenizer makes."""
    tokenizer = Tokenizer.from_file(str(minilm_dir / "tokenizer.json"))
    tokenizer.no_truncation()
    assert 0 < least_tokens(ask(text)) < 0.75 * len(tokenizer.encode(text).ids)


async def test_the_server_is_told_to_refuse_and_not_to_cut(
    ollama: OllamaProvider, ollama_embeddings: OllamaProvider, ollama_engine: OllamaEngine
) -> None:
    await chat(ollama, ask())
    assert last_chat(ollama_engine)["truncate"] is False
    await ollama_embeddings.embed(["a"], EmbedKind.QUERY, soon())
    assert ollama_engine.requests("/api/embed")[-1].body["truncate"] is False


async def test_what_is_asked_for_arrives(ollama_engine: OllamaEngine) -> None:
    provider = OllamaProvider(ollama_engine.url, "llava", keep_alive="1h")
    request = ChatRequest(
        (Message("system", "Be brief."), Message("user", "What is it?", (Source("1", "t", "x"),), (PNG,))),
        max_tokens=33,
        temperature=0.7,
        stop=("END",),
        seed=7,
        top_p=0.9,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        json_schema=SCHEMA,
    )
    await chat(provider, request)
    body = last_chat(ollama_engine)
    assert body["options"] | {"num_ctx": 0} == {
        "num_ctx": 0,
        "num_predict": 33,
        "temperature": 0.7,
        "stop": ["END"],
        "seed": 7,
        "top_p": 0.9,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
    }
    assert body["keep_alive"] == "1h"
    assert body["format"] == SCHEMA
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert base64.b64decode(body["messages"][1]["images"][0]) == PNG
    assert '<source label="1" title="t">' in body["messages"][1]["content"]
    await provider.aclose()


async def test_embeddings_ask_for_the_whole_context_and_carry_their_prefix(
    ollama_embeddings: OllamaProvider, ollama_engine: OllamaEngine
) -> None:
    await ollama_embeddings.embed(["where"], EmbedKind.QUERY, soon())
    await ollama_embeddings.embed(["here"], EmbedKind.DOCUMENT, soon())
    query, document = (seen.body for seen in ollama_engine.requests("/api/embed"))
    assert query["input"] == ["search_query: where"]
    assert document["input"] == ["search_document: here"]
    assert query["options"]["num_ctx"] == document["options"]["num_ctx"] == 4096


async def test_malformed_vectors_are_no_answer(ollama_embeddings: OllamaProvider, ollama_engine: OllamaEngine) -> None:
    ollama_engine.script(Fault.malformed(), path="/api/embed")
    with pytest.raises(InvalidResponse):
        await ollama_embeddings.embed(["a"], EmbedKind.QUERY, soon())
