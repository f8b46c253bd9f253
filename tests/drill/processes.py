"""The processes of the drill: services, scripted engines, and a real vLLM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2

from engines.real_vllm import VLLMServer
from harness.ports import free_port

KEY = "sy-drill-admin-key"
HEADERS = {"Authorization": f"Bearer {KEY}"}
_TESTS = Path(__file__).parents[1]


@dataclass
class Process:
    """A child in a group of its own, ready once `ready` answers 200; `with` starts and stops it."""

    name: str
    command: list[str]
    port: int
    ready: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it is ready; raises RuntimeError with the end of its log if it never is."""
        log = self.folder / f"{self.name}.log"
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=_TESTS,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while time.monotonic() < end and self.child.poll() is None:
            try:
                if httpx2.get(f"{self.url}{self.ready}", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.name} is not ready:\n{log.read_text(errors='replace')[-2000:]}")

    def stop(self, what: signal.Signals = signal.SIGTERM) -> None:
        """End it, by force if it does not end within 15 s."""
        if self.child is None:
            return
        self.child.send_signal(what)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(10)
        self.child = None

    def call(self, method: str, path: str, **options: Any) -> Any:
        """JSON of an answer; raises RuntimeError for any but a 2xx."""
        answer = httpx2.request(method, f"{self.url}{path}", headers=HEADERS, timeout=60, **options)
        if not answer.is_success:
            raise RuntimeError(f"{self.name} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def engine(dialect: str, folder: Path, *arguments: str, port: int | None = None) -> Process:
    """A scripted engine, `dialect` "ollama" or "vllm"."""
    port = port or free_port()
    command = ["-m", f"engines.{dialect}", "--port", str(port), "--dimension", "64", *arguments]
    return Process(f"engine-{dialect}-{port}", command, port, "/_requests", folder)


def service(module: str, folder: Path, name: str, **environment: str) -> Process:
    """One of the services, with data of its own."""
    port = free_port()
    data = folder / name
    own = {"PORT": str(port), "DATA_DIR": str(data), "ADMIN_API_KEY": KEY, "LOG_LEVEL": "info"}
    # Two cores, and many strangers on them: what must come soon must not wait for a tokenizer's threads.
    return Process(name, ["-m", module], port, "/readyz", folder, {**own, **environment})


def engine_core(server: VLLMServer) -> int:
    """The pid of the process that runs the model, which the API process is the parent of."""
    assert server.process is not None
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if "EngineCore" in Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "):
            return int(child)
    raise RuntimeError(f"no engine core among the children of {parent}: {children}")
