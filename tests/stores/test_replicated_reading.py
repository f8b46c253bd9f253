"""Three doc-processors and two rag-services on one PostgreSQL, one of each killed: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest

from harness.ports import free_port
from harness.rag import KEY
from stores.replica import Replica

pytestmark = pytest.mark.stores
DOCUMENTS, PAGES = 12, 60


class Reader:
    """A doc-processor in a process of its own."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        self.port = free_port()
        given = {"PORT": str(self.port), "DATA_DIR": str(data_dir), "ADMIN_API_KEY": KEY, "OCR_WORKERS": "1"}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "doc_processor"], env={**os.environ, **given}, stdout=output, stderr=output
            )

    async def ready(self) -> None:
        async with httpx2.AsyncClient() as http, asyncio.timeout(60):
            while self.process.poll() is None:
                try:
                    if (await http.get(f"http://127.0.0.1:{self.port}/livez")).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.1)
        raise AssertionError("a doc-processor ended at its start")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            await asyncio.to_thread(self.process.wait, 30)


@dataclass
class RoundRobin:
    """What Docker's name server and a Kubernetes service do: each connection goes to the next that takes it.

    While `gate` is closed, answers stop after their first bytes: `held` counts, by port, those that do.
    """

    ports: list[int]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    held: dict[int, int] = field(default_factory=dict)
    _next: int = 0

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self.ports:
            self._next += 1
            port = self.ports[self._next % len(self.ports)]
            try:
                up, down = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(self._pipe(reader, down, None), self._pipe(up, writer, port))
            return
        writer.close()

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, port: int | None) -> None:
        try:
            while data := await source.read(2048):
                if port is not None and not self.gate.is_set():
                    self.held[port] = self.held.get(port, 0) + 1
                    await self.gate.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def balanced(ports: list[int]) -> AsyncIterator[tuple[str, RoundRobin]]:
    found = RoundRobin(ports)
    server = await asyncio.start_server(found.connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", found
    finally:
        found.gate.set()
        server.close()


async def test_one_of_each_is_killed_and_nothing_is_lost_or_doubled(
    tmp_path: Path, embedded: None, where: dict[str, str], database_url: str
) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    async with AsyncExitStack() as stack:
        stores = {name.upper(): value for name, value in where.items()}
        readers = []
        for _ in range(3):
            readers.append(Reader(data, log))
            stack.push_async_callback(readers[-1].stop)
            await readers[-1].ready()
        url, balance = await stack.enter_async_context(balanced([reader.port for reader in readers]))
        given = {**stores, "DATA_DIR": str(data), "DOC_PROCESSOR_URL": url, "ADMIN_API_KEY": KEY}
        replicas = []
        for _ in range(2):
            replicas.append(Replica(given, log))
            stack.push_async_callback(replicas[-1].stop)
            await replicas[-1].ready()
        victim, survivor = replicas
        jobs = []
        for number in range(DOCUMENTS):
            text = "\f".join(f"Buoy {number}-{page} is painted every {page + number} months." for page in range(PAGES))
            files = [("files", (f"buoys-{number}.txt", text.encode()))]
            answer = await replicas[number % 2].http.post("/v1/documents", files=files)
            assert answer.status_code == 202, answer.text
            jobs.append(answer.json()["items"][0]["job_id"])
        async with asyncio.timeout(60):
            while len(balance.held) < 3:
                await asyncio.sleep(0.05)
        await victim.stop(signal.SIGKILL)
        await next(reader for reader in readers if reader.port in balance.held).stop(signal.SIGKILL)
        balance.gate.set()
        ended = [await survivor.ended(job) for job in jobs]
        assert {job["status"] for job in ended} == {"ready"}, log.read_text()[-4000:]
        found = await survivor.http.post("/v1/search", json={"question": "Buoy 7-41", "limit": 5})
        assert any("Buoy 7-41 " in item["text"] for item in found.json()["items"])
        listed = (await survivor.http.get("/v1/documents", params={"limit": 200})).json()["items"]
        assert sorted((item["filename"], item["pages"]) for item in listed) == sorted(
            (f"buoys-{number}.txt", PAGES) for number in range(DOCUMENTS)
        )
    with psycopg.connect(database_url) as connection:
        counted = connection.execute(
            "SELECT (SELECT count(*) FROM rag.pages), (SELECT count(DISTINCT (document_id, ordinal)) FROM rag.chunks), "
            "(SELECT count(*) FROM rag.chunks), (SELECT count(*) FROM rag.chunks WHERE embedded), "
            "(SELECT count(*) FROM rag.chunk_words), (SELECT sum(chunks) FROM rag.documents)"
        ).fetchone()
    assert counted is not None
    pages, *chunks = counted
    assert pages == DOCUMENTS * PAGES
    assert len(set(chunks)) == 1
