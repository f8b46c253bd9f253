"""The contract that every provider is held to, and what only a real llama.cpp can show."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from engines.contract import STORY, ChatContract, EmbeddingContract, ask, assert_whole, collect, soon, text_of
from engines.real_llamacpp import Installation, LlamaCppServer, text_server
from llm_providers import EmbeddedProvider, LLMProvider, OpenAIProvider
from llm_providers.base import EmbeddingProvider
from llm_providers.errors import CannotContinue, ModelNotFound, RequestRejected, StreamBroken, Unavailable
from llm_providers.spaces import Fingerprint, parity
from llm_providers.types import ChatRequest, EmbedKind, Message, Started, Token

pytestmark = pytest.mark.llamacpp

NAMES_A_MISSING_DEFINITION = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "required": ["a"]}


class TestChat(ChatContract):
    @pytest.fixture
    async def llm(self, smollm: OpenAIProvider) -> LLMProvider:
        return smollm


class TestEmbeddings(EmbeddingContract):
    @pytest.fixture
    async def embeddings(self, minilm: OpenAIProvider) -> EmbeddingProvider:
        return minilm


async def test_what_it_says_of_itself_is_read(smollm: OpenAIProvider) -> None:
    about = await smollm.about(soon())
    assert (about.engine, about.context_tokens) == ("llamacpp", 4096)
    assert about.version
    assert about.weights
    assert about.weights.endswith(".gguf")


async def test_any_name_is_answered_by_the_one_model(text: LlamaCppServer) -> None:
    async with aclosing(OpenAIProvider(text.url, "another")) as provider:
        assert_whole(await collect(provider.chat(ask(), soon())))
        assert (await provider.info(soon())).context_tokens == 4096


async def test_a_role_that_it_does_not_serve_has_no_model(smollm: OpenAIProvider) -> None:
    with pytest.raises(ModelNotFound):
        await smollm.embed(["a"], EmbedKind.QUERY, soon())
    with pytest.raises(ModelNotFound):
        await smollm.rerank("a", ["b"], 1, soon())


async def test_a_picture_is_refused_by_a_model_without_eyes(smollm: OpenAIProvider) -> None:
    request = ChatRequest((Message("user", "What is it?", images=(b"\x89PNG\r\n\x1a\n",)),))
    with pytest.raises(RequestRejected):
        await collect(smollm.chat(request, soon()))


async def test_a_continued_answer_repeats_nothing(smollm: OpenAIProvider) -> None:
    for prefix in ("One, two, ", "One, two,\n\n", "One"):
        request = ChatRequest((Message("user", "Count to ten."),), 20, prefix=prefix, temperature=0.0)
        assert "One" not in text_of(await collect(smollm.chat(request, soon())))


async def test_a_beginning_that_does_not_fit_the_schema_is_not_continued(smollm: OpenAIProvider) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    with pytest.raises(CannotContinue):
        await collect(smollm.chat(ask(prefix="One, two, ", json_schema=schema), soon()))


async def test_a_schema_that_it_cannot_enforce_is_asked_for_in_words(smollm: OpenAIProvider) -> None:
    assert_whole(await collect(smollm.chat(ask(json_schema=NAMES_A_MISSING_DEFINITION), soon())))


async def test_pieces_are_whole_characters_and_all_counted(smollm: OpenAIProvider) -> None:
    for seed in range(3):
        done = assert_whole(
            events := await collect(smollm.chat(ask(max_tokens=200, temperature=1.5, seed=seed), soon()))
        )
        assert not done.usage.estimated
        assert done.usage.completion_tokens >= sum(isinstance(event, Token) for event in events)
        assert "\ufffd" not in text_of(events)


async def test_stop_words_end_the_answer(smollm: OpenAIProvider) -> None:
    request = ChatRequest((Message("user", "Count to ten."),), 60, prefix="1, 2, 3, ", temperature=0.0, stop=("6",))
    events = await collect(smollm.chat(request, soon()))
    assert assert_whole(events).finish_reason == "stop"
    assert "6" not in text_of(events)


async def until_running(server: LlamaCppServer, requests: int) -> None:
    async with asyncio.timeout(10):
        while await asyncio.to_thread(server.running) != requests:
            await asyncio.sleep(0.05)


async def test_closing_the_stream_stops_the_generation(smollm: OpenAIProvider, text: LlamaCppServer) -> None:
    stream = smollm.chat(ask(STORY, max_tokens=3500), soon())
    assert isinstance(await anext(stream), Started)
    await until_running(text, 1)
    await stream.aclose()
    await until_running(text, 0)


async def test_dying_in_mid_stream_breaks_the_stream(installation: Installation) -> None:
    with text_server(installation) as doomed:
        async with aclosing(OpenAIProvider(doomed.url, doomed.served_as)) as provider:
            stream = provider.chat(ask(STORY, max_tokens=3500), soon())
            assert isinstance(await anext(stream), Started)
            doomed.send(signal.SIGKILL)
            with pytest.raises(StreamBroken):
                await collect(stream)
            with pytest.raises(Unavailable):
                await collect(provider.chat(ask(), soon()))


async def test_its_vectors_are_those_of_the_embedded_provider(minilm: OpenAIProvider, minilm_dir: Path) -> None:
    """The same weights and the same words: an index may change hands."""
    embedded = EmbeddedProvider.open("all-MiniLM-L6-v2", minilm_dir)
    assert (await parity(minilm, embedded, soon())).passed
    theirs, ours = await Fingerprint.take(minilm, soon()), await Fingerprint.take(embedded, soon())
    assert theirs.differs_from(ours) is None
