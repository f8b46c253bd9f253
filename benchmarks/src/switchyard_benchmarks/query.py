"""Search latency over many chunks, alone and with several users at once, and the recall of the vector index."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from llm_providers.percentile import percentile
from switchyard.client import Client
from switchyard.server import background, own_key
from switchyard.tasks import watch
from switchyard_benchmarks.processes import resident
from switchyard_benchmarks.texts import WORDS, document

_CHUNKS_PER_DOCUMENT = 500
_COLLECTION = "bench-query"


def query(console: Console, port: int, chunks: int, questions: int, users: int) -> None:
    """Fill a collection with about `chunks` chunks of random prose; print p50 and p99 of a search, alone and by `users`."""
    table = Table("what", "measured", title=f"Search, embedded, {chunks} chunks")
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        with background(data_dir, port) as child, Client(f"http://127.0.0.1:{port}", own_key(data_dir)) as client:
            began = time.perf_counter()
            made = _fill(console, client, chunks)
            seconds = time.perf_counter() - began
            table.add_row("ingestion", f"{made / seconds:.1f} chunks/s ({made} chunks)")
            asked = list(_questions(questions))
            with Progress(console=console, transient=True) as progress:
                alone = [_search(client, text) for text in progress.track(asked, description="one user")]
                with ThreadPoolExecutor(users) as pool:
                    search = pool.map(lambda text: _search(client, text), asked)
                    together = list(progress.track(search, total=len(asked), description=f"{users} users"))
            table.add_row("p50 / p99, one user", _percentiles(alone))
            table.add_row(f"p50 / p99, {users} users at once", _percentiles(together))
            table.add_row("resident afterwards", f"{resident(child.pid):.0f} MB")
    console.print(table)


def _fill(console: Console, client: Client, chunks: int) -> int:
    dice = random.Random(7)  # noqa: S311
    jobs: dict[str, str] = {}
    for number in range(-(-chunks // _CHUNKS_PER_DOCUMENT)):
        # A chunk is about one and a half paragraphs of `document`.
        paragraphs = min(chunks, _CHUNKS_PER_DOCUMENT) * 3 // 2
        body = {"text": document(dice, paragraphs), "title": f"Document {number}", "collection": _COLLECTION}
        added = client.call("POST", "/rag/v1/documents", json=body)["items"][0]
        jobs[added["job_id"]] = added["document"]["title"]
    if not watch(console, client, jobs):
        raise RuntimeError("a document could not be ingested")
    return sum(client.call("GET", f"/rag/v1/jobs/{job}")["chunks_total"] for job in jobs)


def _questions(count: int) -> Iterator[str]:
    dice = random.Random(11)  # noqa: S311
    for _ in range(count):
        yield f"What does the {' '.join(dice.choices(WORDS, k=7))} mean?"


def _search(client: Client, question: str) -> float:
    began = time.perf_counter()
    client.call("POST", "/rag/v1/search", json={"question": question, "collection": _COLLECTION, "limit": 6})
    return time.perf_counter() - began


def _percentiles(seconds: list[float]) -> str:
    return f"{percentile(seconds, 50) * 1000:.0f} / {percentile(seconds, 99) * 1000:.0f} ms"
