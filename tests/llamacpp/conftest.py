"""Real llama.cpp servers on CPU, started once for the whole run."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("engines.contract")

from collections.abc import AsyncIterator, Iterator  # noqa: E402

from engines.real_llamacpp import (  # noqa: E402
    Installation,
    LlamaCppServer,
    embedding_server,
    install,
    text_server,
)
from llm_providers import OpenAIProvider  # noqa: E402


@pytest.fixture(scope="session")
def installation() -> Installation:
    return install()


@pytest.fixture(scope="session")
def text(installation: Installation) -> Iterator[LlamaCppServer]:
    with text_server(installation) as server:
        yield server


@pytest.fixture(scope="session")
def embedder(installation: Installation) -> Iterator[LlamaCppServer]:
    with embedding_server(installation) as server:
        yield server


@pytest.fixture
async def smollm(text: LlamaCppServer) -> AsyncIterator[OpenAIProvider]:
    provider = OpenAIProvider(text.url, text.served_as, name="llamacpp")
    yield provider
    await provider.aclose()


@pytest.fixture
async def minilm(embedder: LlamaCppServer) -> AsyncIterator[OpenAIProvider]:
    provider = OpenAIProvider(embedder.url, embedder.served_as, name="llamacpp")
    yield provider
    await provider.aclose()
