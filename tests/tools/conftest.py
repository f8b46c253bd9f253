"""The all-in-one process, as a person starts it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.ports import free_port
from harness.process import Process
from switchyard.client import Client


@pytest.fixture
def process(tmp_path: Path, embedded_model_dir: Path) -> Iterator[Process]:
    env = {**os.environ, "LLM_PROVIDER": "embedded", "EMBEDDED_MODEL_DIR": str(embedded_model_dir)}
    found = Process(tmp_path, free_port(), env)
    yield found
    if found.child is not None and found.child.poll() is None:
        found.kill(signal.SIGTERM)


@pytest.fixture
def ended() -> Callable[[Client, str], dict[str, object]]:
    """Wait until a job has ended."""

    def wait(client: Client, job: str) -> dict[str, object]:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            found = client.call("GET", f"/rag/v1/jobs/{job}")
            if found["status"] not in ("queued", "running"):
                return dict(found)
            time.sleep(0.1)
        raise AssertionError("the job has not ended after 120 s")

    return wait
