"""A whole rag-service per test: with the embedded provider, or a scripted server of OpenAI's protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import OpenAIEngine
from harness.rag import ScriptedProcessor, Stack, ready, running

TEXT = "# Library\n\nBooks are lent for three weeks. A fine of ten cents a day is due after that.\n"


@pytest.fixture
async def stack(tmp_path: Path, embedded: None) -> AsyncIterator[Stack]:
    async with running(tmp_path / "data", ScriptedProcessor()) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, embedded: None) -> Callable[..., Any]:
    """Start services on one data folder, one after the other."""
    return lambda processor=None, **settings: running(tmp_path / "data", processor or ScriptedProcessor(), **settings)


@pytest.fixture
def engine() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(context=100_000, answer=lambda _: "Three weeks, and ten cents a day after that.") as made:
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
