"""Connect, first token and idle have time-outs of their own; the deadline bounds them all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any

import pytest

from engines import Engine, Fault, OllamaEngine, OpenAIEngine
from engines.contract import ask, collect, soon
from llm_providers import Deadline, OllamaProvider, VLLMProvider
from llm_providers.backends._pacing import LivenessCheck, Pace
from llm_providers.deadline import Timeouts
from llm_providers.errors import DeadlineExceeded, StreamBroken, Timeout, Unavailable
from llm_providers.types import EmbedKind, Started

SHORT = Timeouts(connect=0.5, first_token=0.5, idle=0.5)
PATHS = {"vllm": "/chat/completions", "ollama": "/api/chat"}


async def opened(name: str, url: str, timeouts: Timeouts) -> VLLMProvider | OllamaProvider:
    if name == "vllm":
        return VLLMProvider(f"{url}/v1", "llama3.2", timeouts=timeouts)
    return OllamaProvider(url, "llama3.2", timeouts=timeouts)


@pytest.fixture(params=["vllm", "ollama"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    kind = OpenAIEngine if request.param == "vllm" else OllamaEngine
    with kind() as engine:
        yield engine


@pytest.fixture
async def provider(engine: Engine) -> AsyncIterator[VLLMProvider | OllamaProvider]:
    provider = await opened("vllm" if isinstance(engine, OpenAIEngine) else "ollama", engine.url, SHORT)
    yield provider
    await provider.aclose()


async def test_the_first_token_has_its_own(engine: Engine, provider: VLLMProvider | OllamaProvider) -> None:
    engine.script(Fault.hang(), path=PATHS[provider.name])
    begun = monotonic()
    with pytest.raises(Timeout, match="first token"):
        await collect(provider.chat(ask(), soon()))
    assert 0.4 < monotonic() - begun < 4


async def test_a_pause_between_tokens_has_its_own(engine: Engine, provider: VLLMProvider | OllamaProvider) -> None:
    engine.script(Fault.hang(after=2), path=PATHS[provider.name])
    stream = provider.chat(ask(), soon())
    assert isinstance(await anext(stream), Started)
    with pytest.raises(Timeout, match="next token"):
        await collect(stream)
    seen = engine.requests(PATHS[provider.name])[-1]
    assert await asyncio.to_thread(seen.finished.wait, 5)
    assert seen.cancelled


async def test_a_slow_stream_that_keeps_coming_is_let_alone(
    engine: Engine, provider: VLLMProvider | OllamaProvider
) -> None:
    engine.answer, engine.delay = lambda _: "word " * 8, 0.1
    events = await collect(provider.chat(ask(), soon()))
    assert len(events) == 10


async def test_the_deadline_ends_it_all(engine: Engine, provider: VLLMProvider | OllamaProvider) -> None:
    engine.answer, engine.delay = lambda _: "word " * 100, 0.1
    begun = monotonic()
    with pytest.raises(DeadlineExceeded):
        await collect(provider.chat(ask(max_tokens=100), Deadline.after(0.5)))
    assert 0.4 < monotonic() - begun < 4
    seen = engine.requests(PATHS[provider.name])[-1]
    assert await asyncio.to_thread(seen.finished.wait, 5)
    assert seen.cancelled


async def test_embeddings_too(engine: Engine, provider: VLLMProvider | OllamaProvider) -> None:
    engine.always(Fault.hang(), path="/embeddings" if provider.name == "vllm" else "/api/embed")
    with pytest.raises(Timeout):
        await provider.embed(["a"], EmbedKind.QUERY, soon())
    with pytest.raises(DeadlineExceeded):
        await provider.embed(["a"], EmbedKind.QUERY, Deadline.after(0.1))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes no connection and refuses none: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield port
        for client in waiting:
            client.close()


@pytest.mark.parametrize("name", ["vllm", "ollama"])
async def test_connecting_has_its_own(name: str, silent_port: int) -> None:
    provider = await opened(name, f"http://127.0.0.1:{silent_port}", Timeouts(connect=0.2, first_token=30, idle=30))
    begun = monotonic()
    with pytest.raises(Unavailable) as caught:
        await collect(provider.chat(ask(), soon()))
    assert type(caught.value) is Timeout
    assert monotonic() - begun < 5
    await provider.aclose()


async def test_an_engine_that_answers_one_check_more_before_it_is_gone_is_soon_found_out() -> None:
    checks = 0

    async def ask_health() -> None:
        nonlocal checks
        checks += 1
        if checks > 1:
            raise Unavailable("connection refused")

    pace, begun = Pace(soon(), Timeouts(), LivenessCheck(ask_health)), monotonic()
    with pytest.raises(StreamBroken, match="gone"):
        await pace.wait(asyncio.Event().wait())
    pace.close()
    assert checks == 2
    assert monotonic() - begun < 1.2


async def test_a_deadline_that_ends_as_a_piece_comes_still_ends_the_stream() -> None:
    async def alive() -> None:
        return None

    async def stream(pace: Pace) -> None:
        for _ in range(500):
            await pace.wait(asyncio.sleep(0.001))

    for _ in range(40):
        pace = Pace(Deadline.after(0.02), Timeouts(), LivenessCheck(alive))
        with pytest.raises(DeadlineExceeded):
            await stream(pace)
        pace.close()


async def test_a_stream_that_has_all_come_lets_other_tasks_have_their_turn(
    engine: Engine, provider: VLLMProvider | OllamaProvider
) -> None:
    engine.answer = lambda _: "word " * 4000
    turns, stopped = 0, asyncio.Event()

    async def other() -> None:
        nonlocal turns
        while not stopped.is_set():
            turns += 1
            await asyncio.sleep(0)

    longest = tokens = before = 0
    async with asyncio.TaskGroup() as group:
        async for event in provider.chat(ask(max_tokens=4000), soon()):
            if isinstance(event, Started):
                # The rest of the answer comes meanwhile.
                await asyncio.sleep(1)
                group.create_task(other())
            tokens, before = (tokens + 1, before) if turns == before else (0, turns)
            longest = max(longest, tokens)
        stopped.set()
    assert 1 < longest < 40


async def test_a_process_that_stands_still_does_not_blame_the_engine(
    engine: Engine, provider: VLLMProvider | OllamaProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while it connects nor between two tokens."""
    await collect(provider.chat(ask(), soon()))
    http, loop = provider._http, asyncio.get_running_loop()
    request = http._request

    def stand_still(method: str, *more: Any) -> Any:
        monkeypatch.undo()
        loop.call_soon(time.sleep, 1.6)
        return request(method, *more)

    monkeypatch.setattr(http, "_request", stand_still)
    engine.answer, engine.delay = lambda _: "word " * 8, 0.1
    stream = provider.chat(ask(), soon())
    assert isinstance(await anext(stream), Started)
    loop.call_soon(time.sleep, 1.6)
    assert len(await collect(stream)) == 9
