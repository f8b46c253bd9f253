"""The all-in-one process on engines of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.ports import free_port
from switchyard.client import Client
from switchyard.server import background, own_key


@contextmanager
def all_in_one(folder: Path, **variables: str) -> Iterator[Client]:
    """Run the all-in-one process with variables of its environment; yields a client with an admin key."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LLM_PROVIDER": "vllm", "USE_VISION_ANALYSIS": "false", **variables}.items():
            patch.setenv(name, value)
        port = free_port()
        with background(folder, port), Client(f"http://127.0.0.1:{port}", own_key(folder)) as client:
            yield client
