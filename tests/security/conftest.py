"""The all-in-one stack with an obedient model, for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import OpenAIEngine
from engines.obedience import obey
from harness.ports import free_port
from switchyard.client import Client
from switchyard.server import background, own_key


@pytest.fixture(scope="module")
def obedient() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(context=100_000, answer=obey) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(obedient: OpenAIEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a stack whose text and embeddings the obedient engine serves."""
    folder: Path = tmp_path_factory.mktemp("redteam")
    variables = {
        "LLM_PROVIDER": "vllm",
        "USE_VISION_ANALYSIS": "false",
        "VLLM_URL": obedient.url,
        "VLLM_MODEL": "llama3.2",
        "VLLM_EMBED_URL": obedient.url,
        "VLLM_EMBED_MODEL": "nomic-embed-text",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        port = free_port()
        with background(folder, port), Client(f"http://127.0.0.1:{port}", own_key(folder)) as made:
            yield made
