"""Ingestion of many documents at once: when each is ready, and chunks a second."""

from __future__ import annotations

import random
import time

from rich.console import Console

from switchyard.client import Client, StackError
from switchyard_benchmarks.measurements import Measurements, percentiles
from switchyard_benchmarks.target import Target
from switchyard_benchmarks.texts import document

_POLL_SECONDS = 0.3
_OPEN = ("queued", "running")
COLLECTION = "bench-ingest"


def ingest(console: Console, stack: Target, documents: int, paragraphs: int, limit: float) -> Measurements:
    """Add `documents` of random prose at once to a collection of their own, which is deleted at the end.

    Raises `StackError` where one fails, or not all are ready within `limit` seconds.
    """
    dice = random.Random(7)  # noqa: S311
    about = {"url": stack.url, "documents": documents, "paragraphs each": paragraphs}
    found = Measurements("Ingestion", about, plots=[("document", ("ready_after_s",))])
    with stack.client() as client:
        began = time.monotonic()
        jobs: dict[str, int] = {}
        for number in range(1, documents + 1):
            # With the time: bytes that were added before would be the same document.
            text = f"Document {number} of {time.time()}.\n\n{document(dice, paragraphs)}"
            body = {"text": text, "title": f"Document {number}", "collection": COLLECTION}
            jobs[client.call("POST", "/rag/v1/documents", json=body)["items"][0]["job_id"]] = number
        try:
            with console.status(f"{documents} documents"):
                _watch(client, jobs, began, limit, found)
        finally:
            client.call("DELETE", f"/rag/v1/collections/{COLLECTION}")
    ready = [float(row["ready_after_s"]) for row in found.rows]
    chunks = sum(int(row["chunks"]) for row in found.rows)
    order = [row["document"] for row in sorted(found.rows, key=lambda row: float(row["ready_after_s"]))]
    found.rows.sort(key=lambda row: int(row["document"]))
    found.about |= {
        "chunks": chunks,
        "chunks a second": round(chunks / max(ready), 1),
        "first ready after s": min(ready),
        "all ready after s": max(ready),
        "in the order of upload": order == sorted(order),
        "resident": stack.resident(),
        **percentiles(ready),
    }
    return found


def _watch(client: Client, jobs: dict[str, int], began: float, limit: float, found: Measurements) -> None:
    waiting = set(jobs)
    while waiting:
        if time.monotonic() - began > limit:
            raise StackError(f"{len(waiting)} of {len(jobs)} documents are not ready after {limit:.0f} s")
        for job in sorted(waiting, key=lambda job: jobs[job]):
            state = client.call("GET", f"/rag/v1/jobs/{job}")
            if state["status"] in _OPEN:
                # Those behind it are hardly done before it.
                if state["status"] == "queued":
                    break
                continue
            if state["status"] != "ready":
                raise StackError(f"document {jobs[job]} is {state['status']}: {state['error']}")
            seconds = round(time.monotonic() - began, 2)
            found.rows.append({"document": jobs[job], "chunks": state["chunks_total"], "ready_after_s": seconds})
            waiting.discard(job)
        time.sleep(_POLL_SECONDS)
