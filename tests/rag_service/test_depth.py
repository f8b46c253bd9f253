"""How many of our own frames a question passes to its vector, and of our own generators a token to its reader.

Read off the running tasks while the engine hangs, so that docs/architecture.md can be held to it.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from engines import Fault, OpenAIEngine
from harness.rag import ScriptedProcessor, Stack, running

LIMIT = 10
OURS = ("llm_providers", "rag_service", "service_kit")
# Around every request alike, whatever it asks for.
AROUND = ("middleware.py", "auth.py", "bodies.py")


@pytest.fixture
def engine() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(answer=lambda _: "word " * 40, context=8192) as made:
        yield made


@pytest.fixture
async def stack(tmp_path: Path, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    for name, value in {
        "LLM_PROVIDER": "vllm",
        "USE_VISION_ANALYSIS": "false",
        "VLLM_URL": engine.url,
        "VLLM_MODEL": "llama3.2",
        "VLLM_EMBED_URL": engine.url,
        "VLLM_EMBED_MODEL": "nomic-embed-text",
    }.items():
        monkeypatch.setenv(name, value)
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await made.add("The ferry leaves at nine from the old pier.")
        yield made


def awaited(task: asyncio.Task[Any]) -> Iterator[Any]:
    """The coroutines and asynchronous generators that a task waits in, from the outside in."""
    waiting: Any = task.get_coro()
    while waiting is not None:
        yield waiting
        if inspect.iscoroutine(waiting):
            waiting = waiting.cr_await
        elif inspect.isasyncgen(waiting):
            waiting = waiting.ag_await
        elif type(waiting).__name__ in ("async_generator_asend", "async_generator_athrow", "anext_awaitable"):
            inner = [
                o for o in gc.get_referents(waiting) if inspect.isasyncgen(o) or "async_generator" in type(o).__name__
            ]
            waiting = inner[0] if inner else None
        else:
            waiting = getattr(waiting, "gi_yieldfrom", None)


def frame_of(waiting: Any) -> FrameType | None:
    frame: FrameType | None = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
    return frame


def ours(task: asyncio.Task[Any]) -> list[tuple[str, bool]]:
    """Name each of our own frames in a task, and whether it is a generator's."""
    names = []
    for waiting in awaited(task):
        frame = frame_of(waiting)
        if frame is None:
            continue
        path = Path(frame.f_code.co_filename)
        package = next((part for part in path.parts if part in OURS), None)
        if package is not None and path.name not in AROUND:
            names.append((f"{package}.{path.stem}.{frame.f_code.co_qualname}", inspect.isasyncgen(waiting)))
    return names


async def paths_of(stack: Stack, engine: OpenAIEngine, path: str, through: str) -> list[list[tuple[str, bool]]]:
    """Ask while the engine hangs, and return the frames of every task of the question."""
    headers = {"Accept": "text/event-stream"}
    body = {"question": "When does the ferry leave?"}

    async def ask() -> None:
        async with stack.http.stream("POST", "/v1/query", json=body, headers=headers) as answer:
            await answer.aread()

    before = len(engine.requests(path))
    asking = asyncio.create_task(ask())
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.05)
            seen = engine.requests(path)[before:]
            found = [ours(task) for task in asyncio.all_tasks()]
            if seen and any(through in name for frames in found for name, _ in frames):
                break
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return [frames for frames in found if any("questions" in name or through in name for name, _ in frames)]


async def test_a_question_passes_few_frames_to_its_vector(stack: Stack, engine: OpenAIEngine) -> None:
    engine.script(Fault.hang(), path="/embeddings")
    paths = await paths_of(stack, engine, "/embeddings", "OpenAIProvider.embed")
    names = [name for frames in paths for name, _ in frames]
    # The HTTP client's own two frames are below the backend.
    passed = [name for name in names if "_http" not in name and ".deadline." not in name]
    assert any(name.endswith("Questions.ask") for name in passed)
    assert len(passed) <= LIMIT, passed


async def test_a_token_passes_few_generators_to_its_reader(stack: Stack, engine: OpenAIEngine) -> None:
    engine.script(Fault.hang(after=3), path="/chat/completions")
    paths = await paths_of(stack, engine, "/chat/completions", "Pace.wait")
    generators = [name for frames in paths for name, is_generator in frames if is_generator]
    assert any(name.endswith("Questions.ask") for name in generators)
    assert len(generators) <= LIMIT, generators
