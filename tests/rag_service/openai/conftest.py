"""A rag-service whose text and embeddings a scripted server of OpenAI's protocol serves, and whose vision an Ollama."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from engines import OllamaEngine, OpenAIEngine
from harness.rag import KEY, ScriptedProcessor, Stack, running

TEXT = "# Library\n\nBooks are lent for three weeks. A fine of ten cents a day is due after that.\n"


@pytest.fixture
def engine() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(context=100_000, answer=lambda _: "Three weeks, and ten cents a day after that.") as made:
        yield made


@pytest.fixture
def seeing() -> Iterator[OllamaEngine]:
    with OllamaEngine(context=32768, answer=lambda _: "A red pump.") as made:
        yield made


@pytest.fixture
def variables(engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LLM_PROVIDER": "vllm",
        "USE_VISION_ANALYSIS": "false",
        "RETRY_ATTEMPTS": "1",
        "VLLM_URL": engine.url,
        "VLLM_MODEL": "llama3.2",
        "VLLM_EMBED_URL": engine.url,
        "VLLM_EMBED_MODEL": "nomic-embed-text",
    }.items():
        monkeypatch.setenv(name, value)


async def ready(stack: Stack) -> None:
    """Wait until the service's own probes are done: what the engines see from then on is the test's."""
    async with asyncio.timeout(20):
        while (await stack.http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)


@pytest.fixture
async def scripted(tmp_path: Path, variables: None) -> AsyncIterator[Stack]:
    """Without a vision model."""
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await ready(made)
        yield made


@pytest.fixture
async def filled(scripted: Stack) -> Stack:
    """With a document in the collection `default`."""
    await scripted.add(TEXT, "Library")
    return scripted


@pytest.fixture
async def with_vision(
    tmp_path: Path, variables: None, seeing: OllamaEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stack]:
    monkeypatch.setenv("USE_VISION_ANALYSIS", "true")
    monkeypatch.setenv("OLLAMA_URL", seeing.url)
    async with running(tmp_path / "data", ScriptedProcessor()) as made:
        await ready(made)
        yield made


@pytest.fixture
async def client(scripted: Stack) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{scripted.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found
