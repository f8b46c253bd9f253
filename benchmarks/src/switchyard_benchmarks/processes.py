"""Services and a scripted engine as child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from switchyard_benchmarks.overhead.engine import MODEL

KEY = "sy-benchmark-admin-key"
_START_SECONDS = 60


@contextmanager
def process(
    module: str, port: int, ready: str, *arguments: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module as a child process until the block ends; raises RuntimeError if the path `ready` never answers 200."""
    child = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(child, f"http://127.0.0.1:{port}{ready}", module)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


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


def _await(child: subprocess.Popen[bytes], url: str, module: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and child.poll() is None:
        try:
            if httpx2.get(url, timeout=5).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{module} did not become ready")
