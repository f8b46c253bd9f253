"""Measurements of the all-in-one stack and of each service; docs/performance.md has the results."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from llm_providers.percentile import percentile
from switchyard.client import Client
from switchyard.server import background, own_key
from switchyard.services import SERVICES
from switchyard.tasks import watch
from switchyard_benchmarks.processes import process, resident
from switchyard_benchmarks.texts import WORDS, document

_PORT_OFFSET = 10_000
_IDLE_SECONDS = 8


def stack(console: Console, port: int, documents: int, questions: int) -> None:
    """Measure start-up, memory, disk, ingestion against the bare encoder, and search latency; print a table."""
    table = Table("what", "measured", title="All in one, embedded")
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        began = time.perf_counter()
        with background(data_dir, port) as child, Client(f"http://127.0.0.1:{port}", own_key(data_dir)) as client:
            table.add_row("ready after start", f"{time.perf_counter() - began:.2f} s")
            time.sleep(_IDLE_SECONDS)
            table.add_row("resident, idle", f"{resident(child.pid):.0f} MB")
            chunks, seconds = _ingest(console, client, documents)
            table.add_row("ingestion", f"{chunks / seconds:.1f} chunks/s ({chunks} chunks, {documents} documents)")
            p50, p99 = _search(client, questions)
            table.add_row("search, p50 / p99", f"{p50 * 1000:.0f} / {p99 * 1000:.0f} ms")
            time.sleep(_IDLE_SECONDS)
            table.add_row("resident, after that", f"{resident(child.pid):.0f} MB")
        bare = _bare_encoder(chunks)
        table.add_row("the bare encoder", f"{bare:.1f} chunks/s")
        table.add_row("ingestion / bare encoder", f"{chunks / seconds / bare:.2f}")
    table.add_row("disk: environment and model", f"{_disk():.0f} MB")
    console.print(table)


def services(console: Console) -> None:
    """Measure start-up time and idle memory of each service as a process of its own."""
    table = Table("service", "ready after start", "resident, idle", title="Each service alone, embedded")
    for service in SERVICES:
        port = service.port + _PORT_OFFSET
        environment = {"PORT": str(port), "LLM_PROVIDER": "embedded"}
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with process(service.module, port, "/readyz", DATA_DIR=folder, **environment) as child:
                seconds = time.perf_counter() - began
                time.sleep(_IDLE_SECONDS)
                table.add_row(service.name, f"{seconds:.2f} s", f"{resident(child.pid):.0f} MB")
    console.print(table)


def _texts(count: int) -> Iterator[str]:
    dice = random.Random(7)  # noqa: S311
    return (document(dice, 40) for _ in range(count))


def _ingest(console: Console, client: Client, documents: int) -> tuple[int, float]:
    began = time.perf_counter()
    jobs = {}
    for number, text in enumerate(_texts(documents)):
        added = client.call("POST", "/rag/v1/documents", json={"text": text, "title": f"Document {number}"})["items"][0]
        jobs[added["job_id"]] = added["document"]["title"]
    if not watch(console, client, jobs):
        raise RuntimeError("a document could not be ingested")
    seconds = time.perf_counter() - began
    return sum(client.call("GET", f"/rag/v1/jobs/{job}")["chunks_total"] for job in jobs), seconds


def _search(client: Client, questions: int) -> tuple[float, float]:
    dice = random.Random(11)  # noqa: S311
    times = []
    with Progress(transient=True) as progress:
        for _ in progress.track(range(questions), description="searching"):
            question = " ".join(dice.choices(WORDS, k=9))
            began = time.perf_counter()
            client.call("POST", "/rag/v1/search", json={"question": question, "limit": 6})
            times.append(time.perf_counter() - began)
    return percentile(times, 50), percentile(times, 99)


def _bare_encoder(chunks: int) -> float:
    """Encode as many chunks as the ingestion did, with nothing around the encoder; returns chunks a second."""
    from llm_providers.backends.embedded import EmbeddedProvider
    from llm_providers.deadline import Deadline
    from llm_providers.types import EmbedKind
    from rag_service.chunking import Chunker
    from rag_service.settings import RagSettings

    settings = RagSettings()
    chunker = Chunker(settings.chunk_tokens, settings.chunk_overlap_tokens)
    texts = [piece.text for text in _texts(chunks) for piece in chunker.chunk([(1, text)])][:chunks]
    provider = EmbeddedProvider.open()

    async def encode() -> float:
        began = time.perf_counter()
        await provider.embed(texts, EmbedKind.DOCUMENT, Deadline.after(3600))
        return len(texts) / (time.perf_counter() - began)

    return asyncio.run(encode())


def _disk() -> float:
    """Return what the virtual environment and the embedded model take, in MB."""
    from llm_providers.backends.embedded.encoder import DEFAULT_MODEL, MODELS

    folders = [Path(sys.prefix), MODELS[DEFAULT_MODEL].path]
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_blocks * 512 for path in files) / 1e6
