"""A doc-processor by itself: how many pages it reads a second, and how much memory it and its workers take meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from switchyard_benchmarks.measurements import Measurements
from switchyard_benchmarks.processes import KEY, process, watched


def processor(files: Sequence[Path], port: int, data_dir: Path, at_once: int) -> Measurements:
    """Read files, `at_once` at a time, and without vision; those that are refused are counted."""
    environment = {
        "PORT": str(port),
        "DATA_DIR": str(data_dir),
        "ADMIN_API_KEY": KEY,
        "USE_VISION_ANALYSIS": "false",
        "LOG_LEVEL": "warning",
    }
    with (
        process("doc_processor", port, "/livez", **environment) as child,
        watched(child.pid) as most,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}, timeout=3600
        ) as http,
        ThreadPoolExecutor(at_once) as threads,
    ):
        began = time.monotonic()
        pages = list(threads.map(lambda path: _pages(http, path), files))
        seconds = time.monotonic() - began
    row = {
        "files": len(files),
        "refused": pages.count(0),
        "pages": sum(pages),
        "pages_a_second": round(sum(pages) / seconds, 1),
        "service_mb": round(most[0]),
        "with_workers_mb": round(most[1]),
    }
    return Measurements("doc-processor", {"at once": at_once}, [row])


def _pages(http: httpx2.Client, path: Path) -> int:
    """Return how many pages of a file were read; 0 if it was refused. Raises `httpx2.HTTPStatusError` for a fault of the service."""
    with path.open("rb") as file:
        answer = http.post("/v1/process", files={"file": (path.name, file)})
    if answer.is_server_error:
        answer.raise_for_status()
    return len(answer.json()["pages"]) if answer.is_success else 0
