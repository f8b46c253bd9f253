"""The stack that a benchmark measures: a deployed one, or one that it starts for itself."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchyard.client import Client, saved_key
from switchyard.server import background, own_key
from switchyard_benchmarks.processes import resident


@dataclass(frozen=True, slots=True)
class Target:
    """Where a stack answers, with which key, and the id of its process if it is ours."""

    url: str
    key: str
    pid: int | None = None

    def client(self) -> Client:
        return Client(self.url, self.key)

    def resident(self) -> str:
        """Return the resident memory in words."""
        return f"{resident(self.pid):.0f} MB" if self.pid is not None else "not known of another machine"


@contextmanager
def target(url: str | None, data_dir: Path, port: int, synthetic: int = 0) -> Iterator[Target]:
    """Yield the stack at `url`, with the key of `data_dir` or SWITCHYARD_API_KEY; without one, a new stack on `port`.

    Before a new stack starts, its store is filled with so many `synthetic` chunks.
    """
    if url is not None:
        yield Target(url, saved_key(data_dir))
        return
    with tempfile.TemporaryDirectory() as folder:
        if synthetic:
            from switchyard_benchmarks.synthetic import fill

            asyncio.run(fill(Path(folder), synthetic))
        with background(Path(folder), port) as child:
            yield Target(f"http://127.0.0.1:{port}", own_key(Path(folder)), child.pid)
