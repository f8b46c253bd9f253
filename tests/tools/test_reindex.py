"""Moving to another index in the all-in-one process: killed in the middle, it goes on where it was."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import chromadb
import pytest

pytestmark = pytest.mark.live

LONG = "\n\n".join(
    f"# Section {number}\n\nBuoy {number} lies {number * 7} metres off the mole and is painted every {number % 9 + 2} years. "
    + "Its chain is inspected by a diver, who writes down wear, shackles and growth. " * 9
    for number in range(260)
)
QUESTION = {"question": "How many metres off the mole does buoy 97 lie?"}


def test_a_kill_in_mid_move_loses_and_doubles_nothing(process: Any, ended: Callable[..., Any]) -> None:
    client = process.start()
    added = client.call("POST", "/rag/v1/documents", json={"text": LONG, "title": "Buoys"})["items"][0]
    assert ended(client, added["job_id"])["status"] == "ready"
    (job,) = client.call("POST", "/rag/v1/reindex", json={"provider": "embedded"})["job_ids"]
    while not 0 < (now := client.call("GET", f"/rag/v1/jobs/{job}"))["chunks_done"] < now["chunks_total"]:
        assert now["status"] in ("queued", "running"), now
        time.sleep(0.01)
    found = client.call("POST", "/rag/v1/search", json=QUESTION)
    assert (found["degraded"], "679 metres" in found["items"][0]["text"]) == ([], True)
    process.kill(signal.SIGKILL)
    client = process.start()
    states = [index["status"] for index in client.call("GET", "/rag/v1/collections/default")["indexes"]]
    assert states == ["active", "filling"]
    found = client.call("POST", "/rag/v1/search", json=QUESTION)
    assert (found["degraded"], "679 metres" in found["items"][0]["text"]) == ([], True)
    again = ended(client, job)
    assert (again["status"], again["chunks_done"]) == ("ready", now["chunks_total"])
    found = client.call("POST", "/rag/v1/search", json=QUESTION)
    assert (found["degraded"], "679 metres" in found["items"][0]["text"]) == ([], True)
    assert process.kill(signal.SIGTERM) in (0, -signal.SIGTERM)

    with sqlite3.connect(process.data_dir / "rag.db") as rows:
        names = dict(rows.execute("SELECT status, name FROM indexes").fetchall())
    rows.close()
    stored = chromadb.PersistentClient(str(process.data_dir / "chroma"))
    counts = {status: stored.get_collection(name, embedding_function=None).count() for status, name in names.items()}
    assert counts == {"active": now["chunks_total"], "retired": now["chunks_total"]}
