"""The all-in-one process, as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from harness.ports import free_port
from switchyard.client import Client
from switchyard.server import own_key


@dataclass
class Process:
    """One run of `switchyard up --embedded`; may be killed and started again on the same folder."""

    data_dir: Path
    port: int
    env: dict[str, str]
    child: subprocess.Popen[bytes] | None = None
    client: Client | None = None

    def start(self) -> Client:
        command = [sys.executable, "-m", "switchyard", "up", "--embedded", "--port", str(self.port)]
        with (self.data_dir / "out.log").open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)], stdout=log, stderr=log, env=self.env
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.child.poll() is None, (self.data_dir / "out.log").read_text()
            try:
                if httpx2.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    self.client = Client(f"http://127.0.0.1:{self.port}", own_key(self.data_dir))
                    return self.client
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError("not ready after 60 s")

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.child is not None
        if self.client is not None:
            self.client.http.close()
        self.child.send_signal(number)
        return self.child.wait(30)


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
