"""Search latency over many chunks, alone and with several users at once."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.progress import Progress

from switchyard.client import Client
from switchyard.tasks import watch
from switchyard_benchmarks.load import random_questions
from switchyard_benchmarks.measurements import Measurements, percentiles
from switchyard_benchmarks.target import Target
from switchyard_benchmarks.texts import document

_CHUNKS_PER_DOCUMENT = 500
COLLECTION = "bench-query"


def query(
    console: Console, stack: Target, chunks: int, questions: int, users: int, *, filled: bool = False
) -> Measurements:
    """Search a collection of about `chunks` chunks of random prose, made first unless it is `filled`: one user, then `users`."""
    found = Measurements("Search", {"url": stack.url}, plots=[("users", ("p50_ms", "p95_ms", "p99_ms"))])
    with stack.client() as client:
        if not filled:
            began = time.perf_counter()
            chunks = _fill(console, client, chunks)
            found.about["chunks a second of ingestion"] = round(chunks / (time.perf_counter() - began), 1)
        asked = list(random_questions(questions, by_their_frequency=filled))
        # The first search after a start opens the vector index.
        _search(client, asked[0])
        for count in dict.fromkeys((1, users)):
            with Progress(console=console, transient=True) as progress, ThreadPoolExecutor(count) as pool:
                answers = pool.map(lambda text: _search(client, text), asked)
                times = list(progress.track(answers, total=len(asked), description=f"{count} users"))
            whole, reranking = [seconds for seconds, _ in times], [parts.get("rerank", 0.0) for _, parts in times]
            stages = {f"{stage}_ms": _median(times, stage) for stage in ("vectors", "keywords")}
            rerank = {f"rerank_{name}": value for name, value in percentiles(reranking).items()}
            found.rows.append({"users": count, "searches": len(times), **percentiles(whole), **stages, **rerank})
    found.about |= {"chunks": chunks, "resident": stack.resident()}
    return found


def _fill(console: Console, client: Client, chunks: int) -> int:
    dice = random.Random(7)  # noqa: S311
    jobs: dict[str, str] = {}
    for number in range(-(-chunks // _CHUNKS_PER_DOCUMENT)):
        # A chunk is about one and a half paragraphs of `document`.
        paragraphs = min(chunks, _CHUNKS_PER_DOCUMENT) * 3 // 2
        body = {"text": document(dice, paragraphs), "title": f"Document {number}", "collection": COLLECTION}
        added = client.call("POST", "/rag/v1/documents", json=body)["items"][0]
        jobs[added["job_id"]] = added["document"]["title"]
    if not watch(console, client, jobs):
        raise RuntimeError("a document could not be ingested")
    return sum(client.call("GET", f"/rag/v1/jobs/{job}")["chunks_total"] for job in jobs)


def _search(client: Client, question: str) -> tuple[float, dict[str, float]]:
    began = time.perf_counter()
    body = {"question": question, "collection": COLLECTION, "limit": 6}
    seconds = client.call("POST", "/rag/v1/search", json=body)["seconds"]
    return time.perf_counter() - began, seconds


def _median(times: list[tuple[float, dict[str, float]]], stage: str) -> float:
    return percentiles([parts.get(stage, 0.0) for _, parts in times])["p50_ms"]
