"""A stream that does not end as its dialect says is a failure, never an answer; leaving one stops the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from engines import Engine, Fault, Seen
from engines.contract import ask, assert_whole, collect, soon, text_of
from llm_providers import OllamaProvider, VLLMProvider
from llm_providers.errors import InvalidResponse, ProviderError, StreamBroken
from llm_providers.types import ChatEvent, Started, Token

LONG = "word " * 400


@dataclass
class Pair:
    provider: VLLMProvider | OllamaProvider
    engine: Engine
    path: str

    async def finished(self) -> Seen:
        """The last chat as the engine saw it, once the engine has let go of it."""
        seen = self.engine.requests(self.path)[-1]
        assert await asyncio.to_thread(seen.finished.wait, 5)
        return seen


@pytest.fixture(params=["vllm", "ollama"])
def pair(
    request: pytest.FixtureRequest,
    vllm: VLLMProvider,
    ollama: OllamaProvider,
    openai_engine: Engine,
    ollama_engine: Engine,
) -> Pair:
    if request.param == "vllm":
        return Pair(vllm, openai_engine, "/chat/completions")
    return Pair(ollama, ollama_engine, "/api/chat")


FAULTS = {
    "cut": (Fault.cut, StreamBroken),
    "no end": (Fault.no_end, StreamBroken),
    "abort": (Fault.abort, StreamBroken),
    "error line": (Fault.error_line, StreamBroken),
    "malformed": (Fault.malformed, InvalidResponse),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("after", [1, 3])
async def test_no_broken_stream_looks_whole(pair: Pair, name: str, after: int) -> None:
    make, expected = FAULTS[name]
    fault: Fault = make(after)
    pair.engine.script(fault, path=pair.path)
    events: list[ChatEvent] = []

    async def consume() -> None:
        async for event in pair.provider.chat(ask(), soon()):
            events.append(event)  # noqa: PERF401

    with pytest.raises(ProviderError) as caught:
        await consume()
    assert type(caught.value) is expected
    assert caught.value.backend == pair.provider.name
    assert isinstance(events[0], Started)
    assert [type(event) for event in events[1:]] == [Token] * after


async def test_no_end_right_after_the_last_word_is_no_answer(pair: Pair) -> None:
    """The whole text has come; without the end nobody knows that."""
    pair.engine.answer = lambda _: "two words"
    pair.engine.script(Fault.no_end(after=2), path=pair.path)
    with pytest.raises(StreamBroken):
        await collect(pair.provider.chat(ask(), soon()))


async def test_an_empty_answer_is_an_answer(pair: Pair) -> None:
    pair.engine.answer = lambda _: ""
    events = await collect(pair.provider.chat(ask(), soon()))
    assert assert_whole(events).usage.completion_tokens == 0
    assert len(events) == 2


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\\", '"', "\ufeff"])
async def test_no_character_splits_a_line(pair: Pair, character: str) -> None:
    """Python counts more characters as line ends than the wire does."""
    text = f"before {character}between{character} after"
    pair.engine.answer = lambda _: text
    assert text_of(await collect(pair.provider.chat(ask(), soon()))) == text


async def test_closing_the_generator_stops_the_engine(pair: Pair) -> None:
    pair.engine.answer, pair.engine.delay = lambda _: LONG, 0.01
    stream = pair.provider.chat(ask(max_tokens=400), soon())
    assert isinstance(await anext(stream), Started)
    await stream.aclose()
    seen = await pair.finished()
    assert seen.cancelled
    assert seen.sent < 50


async def test_breaking_off_a_loop_stops_the_engine_once_closed(pair: Pair) -> None:
    pair.engine.answer, pair.engine.delay = lambda _: LONG, 0.01
    stream = pair.provider.chat(ask(max_tokens=400), soon())
    async for event in stream:
        if isinstance(event, Token):
            break
    await stream.aclose()
    assert (await pair.finished()).cancelled


async def test_cancelling_the_task_stops_the_engine(pair: Pair) -> None:
    pair.engine.answer, pair.engine.delay = lambda _: LONG, 0.01
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in pair.provider.chat(ask(max_tokens=400), soon()):
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    seen = await pair.finished()
    assert seen.cancelled
    assert seen.sent < 50


async def test_cancelling_before_the_first_token_stops_the_engine(pair: Pair) -> None:
    pair.engine.script(Fault.hang(), path=pair.path)
    task = asyncio.create_task(collect(pair.provider.chat(ask(), soon())))
    while not pair.engine.requests(pair.path):
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await pair.finished()).cancelled


async def test_the_connection_is_used_again_after_a_whole_answer(pair: Pair) -> None:
    for _ in range(3):
        assert_whole(await collect(pair.provider.chat(ask(), soon())))
    # The first answer shows whether the server keeps connections.
    assert len({seen.peer for seen in pair.engine.requests(pair.path)[1:]}) == 1
