"""The all-in-one stack with an obedient model, for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines import OpenAIEngine
from engines.obedience import obey
from harness.allinone import all_in_one
from switchyard.client import Client


@pytest.fixture(scope="module")
def obedient() -> Iterator[OpenAIEngine]:
    with OpenAIEngine(context=100_000, answer=obey) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(obedient: OpenAIEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a stack whose text and embeddings the obedient engine serves."""
    engines = {"VLLM_URL": obedient.url, "VLLM_MODEL": "llama3.2", "VLLM_EMBED_URL": obedient.url}
    with all_in_one(tmp_path_factory.mktemp("stack"), **engines, VLLM_EMBED_MODEL="nomic-embed-text") as made:
        yield made
