"""What only a real server can show: its own words for refusals, its own counts, its own vectors."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import aclosing
from pathlib import Path
from time import monotonic

import pytest

from engines.contract import STORY, ask, assert_whole, collect, soon, text_of
from engines.real_vllm import Installation, VLLMServer, smollm_server
from llm_providers import EmbeddedProvider, VLLMProvider
from llm_providers.errors import ContextLengthExceeded, ModelNotFound, RequestRejected
from llm_providers.spaces import Fingerprint, parity
from llm_providers.types import ChatRequest, EmbedKind, Message, Started, Token

pytestmark = pytest.mark.vllm


async def idle(server: VLLMServer, seconds: float = 10.0) -> float:
    """Wait until the server works on nothing; return how long that took."""
    begun = monotonic()
    while await asyncio.to_thread(server.running) > 0:
        assert monotonic() - begun < seconds, "the server still generates"
        await asyncio.sleep(0.05)
    return monotonic() - begun


async def busy(server: VLLMServer) -> None:
    begun = monotonic()
    while await asyncio.to_thread(server.running) < 1:
        assert monotonic() - begun < 10, "the server never saw the request"
        await asyncio.sleep(0.02)


async def test_closing_the_stream_stops_the_generation(vllm: VLLMProvider, vllm_text: VLLMServer) -> None:
    stream = vllm.chat(ask(max_tokens=3900), soon())
    assert isinstance(await anext(stream), Started)
    await busy(vllm_text)
    await stream.aclose()
    assert await idle(vllm_text) < 3


async def test_cancelling_the_task_stops_the_generation(vllm: VLLMProvider, vllm_text: VLLMServer) -> None:
    task = asyncio.create_task(collect(vllm.chat(ask(max_tokens=3900), soon())))
    await busy(vllm_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await idle(vllm_text) < 3


async def test_too_long_is_told_from_wrong(vllm: VLLMProvider, minilm: VLLMProvider) -> None:
    with pytest.raises(ContextLengthExceeded):
        await collect(vllm.chat(ask("word " * 6000, max_tokens=10), soon()))
    with pytest.raises(ContextLengthExceeded):
        await collect(vllm.chat(ask("word", max_tokens=5000), soon()))
    with pytest.raises(ContextLengthExceeded):
        await minilm.embed(["word " * 6000], EmbedKind.DOCUMENT, soon())
    with pytest.raises(RequestRejected) as caught:
        await collect(vllm.chat(ChatRequest((Message("user", "hi"),), temperature=-1.0), soon()))
    assert type(caught.value) is RequestRejected


async def test_a_picture_is_refused_by_a_model_without_eyes(vllm: VLLMProvider) -> None:
    request = ChatRequest((Message("user", "What is it?", images=(b"\x89PNG\r\n\x1a\n",)),))
    with pytest.raises(RequestRejected):
        await collect(vllm.chat(request, soon()))


async def test_another_model_is_not_found(vllm_text: VLLMServer, vllm: VLLMProvider) -> None:
    provider = VLLMProvider(vllm_text.url, "gpt")
    with pytest.raises(ModelNotFound):
        await collect(provider.chat(ask(), soon()))
    with pytest.raises(ModelNotFound):
        await provider.info(soon())
    # A chat server has no embeddings at all.
    with pytest.raises(ModelNotFound):
        await vllm.embed(["a"], EmbedKind.QUERY, soon())
    await provider.aclose()


async def test_its_count_is_the_tokenizers_own(vllm: VLLMProvider) -> None:
    short = assert_whole(await collect(vllm.chat(ask("one", max_tokens=5), soon()))).usage
    long = assert_whole(await collect(vllm.chat(ask("one " + STORY, max_tokens=5), soon()))).usage
    assert not short.estimated
    assert long.prompt_tokens > short.prompt_tokens + 20
    assert short.completion_tokens <= 5


async def test_a_prompt_is_counted_as_it_will_be_read(vllm: VLLMProvider) -> None:
    count = (await vllm.info(soon())).count_tokens
    assert count is not None
    request = ask("one " + STORY, max_tokens=5)
    read = assert_whole(await collect(vllm.chat(request, soon()))).usage.prompt_tokens
    assert await count(request.messages, soon()) == read


async def test_tokens_concatenate_to_the_text_whatever_their_bytes(vllm: VLLMProvider) -> None:
    """A random model writes half characters and line separators; nothing of it tears the stream."""
    for seed in range(5):
        request = ask(max_tokens=300, temperature=1.5, seed=seed)
        events = await collect(vllm.chat(request, soon()))
        done = assert_whole(events)
        assert done.usage.completion_tokens >= sum(isinstance(event, Token) for event in events)


async def test_its_vectors_are_those_of_the_embedded_provider(minilm: VLLMProvider, minilm_dir: Path) -> None:
    """The same weights, there in float32 and here in 8 bits: parity decides whether an index may change hands."""
    embedded = EmbeddedProvider.open("all-MiniLM-L6-v2", minilm_dir)
    found = await parity(minilm, embedded, soon())
    assert found.passed
    theirs, ours = await Fingerprint.take(minilm, soon()), await Fingerprint.take(embedded, soon())
    assert theirs.differs_from(ours) is None


def test_the_engine_is_in_the_group_that_is_stopped(vllm_text: VLLMServer) -> None:
    assert vllm_text.process is not None
    parent = str(vllm_text.process.pid)
    listed = subprocess.run(["ps", "-o", "pgid=", "--ppid", parent], capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) == {parent}


async def test_what_it_says_of_itself_is_found_out(vllm: VLLMProvider) -> None:
    about = await vllm.about(soon())
    assert (about.engine, about.context_tokens) == ("vllm", 4096)
    assert about.version


async def test_two_servers_have_two_models(vllm: VLLMProvider, vllm_installation: Installation) -> None:
    question = ask("What is the capital of France?", max_tokens=20, temperature=0.0)
    with smollm_server(vllm_installation) as server:
        async with aclosing(VLLMProvider(server.url, server.served_as)) as smollm:
            assert "Paris" in text_of(await collect(smollm.chat(question, soon())))
            assert (await smollm.info(soon())).context_tokens == 8192
    assert "Paris" not in text_of(await collect(vllm.chat(question, soon())))
