"""Clients of the OpenAI endpoint, and a service whose vision an Ollama has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from engines import OllamaEngine
from harness.rag import KEY, ScriptedProcessor, Stack, ready, running


@pytest.fixture
def seeing() -> Iterator[OllamaEngine]:
    with OllamaEngine(context=32768, answer=lambda _: "A red pump.") as made:
        yield made


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
