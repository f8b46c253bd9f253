"""The service as a process that is killed, and in the all-in-one process with the real rag-service and the command line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from typer.testing import CliRunner

from harness.allinone import all_in_one
from harness.ports import free_port
from harness.rag import KEY
from harness.serving import serving
from switchyard.cli import app
from switchyard.client import Client, StackError

pytestmark = pytest.mark.live
TEXT = "The Harbour Trust hired Dr. Anna de Vries. Anna de Vries answers to Peter Jansen.\n\nPeter Jansen lives in Rotterdam."


@asynccontextmanager
async def process(folder: Path, rag_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx2.AsyncClient]]:
    """Run the service on a data folder; it is killed at the end of the block."""
    port = free_port()
    own = {"DATA_DIR": str(folder), "PORT": str(port), "RAG_SERVICE_URL": rag_url, "ADMIN_API_KEY": KEY}
    env = {**os.environ, "LLM_PROVIDER": "embedded", "GRAPH_FOLLOW_SECONDS": "0", **own}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graph_service", env=env, stderr=asyncio.subprocess.DEVNULL
    )
    head = {"Authorization": f"Bearer {KEY}"}
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=head, timeout=30) as http:
            async with asyncio.timeout(120):
                while not await _is_ready(http):
                    assert child.returncode is None
                    await asyncio.sleep(0.1)
            yield child, http
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _is_ready(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def test_a_killed_build_goes_on_and_nothing_is_lost_or_doubled(tmp_path: Path, rag: Any, embedded: None) -> None:
    rag.add("long", "\f".join(f"Peter Jansen saw Acme Corp on page {page}." for page in range(120)))
    rag.hold = asyncio.Event()
    async with serving(rag.app()) as rag_url:
        async with process(tmp_path, rag_url) as (child, http):
            job = (await http.post("/v1/graphs", json={"collection": "default"})).json()["id"]
            await rag.waits.wait()
            child.send_signal(signal.SIGKILL)
            await child.wait()
        rag.hold.set()
        async with process(tmp_path, rag_url) as (child, http):
            # Again, once it has stored something and not all.
            rag.hold.clear()
            rag.waits.clear()
            async with asyncio.timeout(120):
                while (state := (await http.get(f"/v1/jobs/{job}")).json())["status"] in ("queued", "running"):
                    if rag.waits.is_set():
                        break
                    await asyncio.sleep(0.02)
            if state["status"] != "ready":
                child.send_signal(signal.SIGKILL)
                await child.wait()
        rag.hold.set()
        async with process(tmp_path, rag_url) as (_, http):
            async with asyncio.timeout(120):
                while (state := (await http.get(f"/v1/jobs/{job}")).json())["status"] in ("queued", "running"):
                    await asyncio.sleep(0.1)
            assert (state["status"], state["chunks_done"], state["chunks_total"]) == ("ready", 120, 120)
            listed = (await http.get("/v1/entities")).json()["items"]
            counts = {entity["name"]: entity["mentions"] for entity in listed}
            assert counts == {"Peter Jansen": 120, "Acme Corp": 120}
            relations = (await http.get("/v1/graphs/default")).json()["relations"]
            assert relations == 120


def test_in_the_all_in_one_process_by_the_command_line(
    tmp_path: Path, embedded_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"LLM_PROVIDER": "embedded", "EMBEDDED_MODEL_DIR": str(embedded_model_dir)}
    with all_in_one(tmp_path / "data", **variables) as client:
        assert client.call("GET", "/graph/health")["service"] == "graph-service"
        added = client.call("POST", "/rag/v1/documents", json={"text": TEXT, "title": "Harbour"})["items"][0]
        _ended(client, added["job_id"])
        monkeypatch.setenv("SWITCHYARD_API_KEY", client.http.headers["authorization"].removeprefix("Bearer "))
        monkeypatch.setenv("SWITCHYARD_URL", client.url)
        monkeypatch.setenv("COLUMNS", "200")

        built = _typed("build")
        assert "4 entities and" in built
        assert "of 1 documents" in built
        assert "read by patterns" in built
        assert "Peter Jansen" in _typed("show")
        shown = _typed("show", "anna de vries")
        assert "Anna de Vries (person" in shown
        assert "(Harbour, page 1)" in shown
        way = _typed("path", "Harbour Trust", "Rotterdam").splitlines()
        assert [line.split(" – ")[0] for line in way[::2]] == ["Harbour Trust", "Anna de Vries", "Peter Jansen"]
        assert re.search(r"\b2 +Anna de Vries, Harbour Trust\b", _typed("communities"))
        out = tmp_path / "graph.graphml"
        _typed("export", str(out))
        assert len(list(ElementTree.parse(out).iter("{http://graphml.graphdrawing.org/xmlns}node"))) == 4
        asked = {"question": "What connects the Harbour Trust with Rotterdam?", "graph": True}
        found = client.call("POST", "/rag/v1/search", json=asked)
        assert [item["title"] for item in found["items"]] == ["Harbour"]
        assert found["degraded"] == []
        with pytest.raises(StackError, match="no entity"):
            CliRunner().invoke(app, ["graph", "show", "Nobody"], catch_exceptions=False)

        client.call("DELETE", f"/rag/v1/documents/{added['document']['id']}")
        assert client.call("POST", "/rag/v1/search", json=asked)["items"] == []
        assert "0 entities and 0 relations of 0 documents" in _typed("build")


def _typed(*words: str) -> str:
    done = CliRunner().invoke(app, ["graph", *words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def _ended(client: Client, job: str) -> None:
    end = time.monotonic() + 120
    while client.call("GET", f"/rag/v1/jobs/{job}")["status"] in ("queued", "running"):
        assert time.monotonic() < end
        time.sleep(0.1)
