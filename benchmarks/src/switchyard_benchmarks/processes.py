"""Services and a scripted engine as child processes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread

import httpx2

from switchyard.server import child
from switchyard_benchmarks.overhead.engine import MODEL

KEY = "sy-benchmark-admin-key"
_LOOK_SECONDS = 0.2


def process(
    module: str, port: int, ready: str, *arguments: str, **environment: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a module as a child process until the block ends; raises `StackError` if the path `ready` does not answer 200."""
    return child([module, *arguments], f"http://127.0.0.1:{port}{ready}", Path(os.devnull), **environment)


@contextmanager
def engine(port: int) -> Iterator[str]:
    """A scripted engine; yields its address, /v1 included."""
    with process("switchyard_benchmarks.overhead.engine", port, "/health", str(port)):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def rag_service(port: int, data_dir: Path, engine_url: str) -> Iterator[str]:
    """A rag-service on the engine; yields the address of its OpenAI-compatible API."""
    environment = {
        "PORT": str(port),
        "DATA_DIR": str(data_dir),
        "ADMIN_API_KEY": KEY,
        "LLM_PROVIDER": "vllm",
        "VLLM_URL": engine_url,
        "VLLM_MODEL": MODEL,
        "USE_VISION_ANALYSIS": "false",
        "LOG_LEVEL": "warning",
    }
    # Not /readyz: the scripted engine has no embeddings, and none are needed.
    with process("rag_service", port, "/livez", **environment):
        yield f"http://127.0.0.1:{port}/v1"


def set_mode(engine_url: str, mode: str) -> None:
    """Make the engine fail, or work again."""
    httpx2.post(f"{engine_url.removesuffix('/v1')}/_mode", json={"mode": mode}).raise_for_status()


def chat_count(engine_url: str) -> int:
    """Return how many chat requests the engine has had."""
    return int(httpx2.get(f"{engine_url.removesuffix('/v1')}/_count").json()["chats"])


def own_resident(pid: int) -> float:
    """Return the resident memory of a process in MB; one that has ended has none."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def resident(pid: int) -> float:
    """Return the resident memory of a process and its children in MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own_resident(pid) + sum(resident(int(child)) for child in children)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Yield the most resident MB so far of a process alone, and with its children."""
    most, ended = [0.0, 0.0], Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            try:
                most[:] = [max(most[0], own_resident(pid)), max(most[1], resident(pid))]
            except OSError:
                continue  # a worker has just ended

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
