"""The build of the graph of one long document: how long it takes a graph-service by itself, and in how much memory."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx2

from switchyard.client import StackError
from switchyard_benchmarks.measurements import Measurements
from switchyard_benchmarks.processes import KEY, process, watched
from switchyard_benchmarks.texts import WORDS

_PERSONS, _SENTENCES = 2_000, 30
_POLL_SECONDS = 0.5


def pages_of(count: int) -> list[str]:
    """Make pages of 30 sentences that name two or three of 2,000 persons each; the same in every run."""
    dice = random.Random(11)  # noqa: S311
    persons = [" ".join(word.capitalize() for word in dice.sample(WORDS, 2)) for _ in range(_PERSONS)]

    def sentence() -> str:
        *first, last = dice.sample(persons, dice.choice((2, 3)))
        return f"Yesterday {' met '.join(first)} and then asked {last} about the {dice.choice(WORDS)}."

    return [" ".join(sentence() for _ in range(_SENTENCES)) for _ in range(count)]


def graph_build(pages: int, port: int, data_dir: Path) -> Measurements:
    """Build by patterns; raises `StackError` if the build fails."""
    with (
        _documents(pages_of(pages)) as rag_url,
        process(
            "graph_service",
            port,
            "/livez",
            PORT=str(port),
            DATA_DIR=str(data_dir),
            ADMIN_API_KEY=KEY,
            RAG_SERVICE_URL=rag_url,
            LLM_PROVIDER="embedded",
            GRAPH_FOLLOW_SECONDS="0",
            LOG_LEVEL="warning",
        ) as child,
        watched(child.pid) as most,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}/v1", headers={"Authorization": f"Bearer {KEY}"}, timeout=60
        ) as http,
    ):
        began = time.monotonic()
        job = http.post("/graphs", json={"collection": "made"}).raise_for_status().json()
        while job["status"] in ("queued", "running"):
            time.sleep(_POLL_SECONDS)
            job = http.get(f"/jobs/{job['id']}").raise_for_status().json()
        seconds = time.monotonic() - began
        if job["status"] != "ready":
            raise StackError(f"the build is {job['status']}: {job['error']}")
        graph = http.get("/graphs/made").raise_for_status().json()
    row = {
        "pages": pages,
        "chunks": graph["chunks"],
        "entities": graph["entities"],
        "relations": graph["relations"],
        "seconds": round(seconds, 1),
        "service_mb": round(most[0]),
    }
    return Measurements("Build of a graph", {"by": "patterns"}, [row])


@contextmanager
def _documents(pages: list[str]) -> Iterator[str]:
    """Serve one document as a rag-service does; yields the address."""
    document = {"id": "doc_made", "title": "Made", "language": "en", "sha256": "0", "job_id": "job_made"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            found: object = {"items": [document], "next_cursor": None}
            if url.path.endswith("/pages"):
                first, limit = int(query["first"]), int(query["limit"])
                numbers = range(first, min(first + limit, len(pages) + 1))
                found = [{"number": number, "text": pages[number - 1]} for number in numbers]
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
