"""What of requests is in the log: who, from where, what, how it ended; and that it is there before the act."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.ports import free_port
from harness.serving import serving
from service_kit.audit.chain import Chain, Retention
from service_kit.audit.entries import ENDED, now
from service_kit.audit.log import AuditLog
from service_kit.audit.reading import Filter, acts, as_csv, verify
from service_kit.errors import StorageUnavailable
from service_kit.keys import KeyStore, Scope

from . import app as audited

ADMIN = {"X-API-Key": audited.KEY}
APP = Path(audited.__file__)


async def recorded(
    folder: Path, requests: list[tuple[str, str, dict[str, Any]]], **settings: object
) -> list[dict[str, Any]]:
    """Send requests to a service and end it; return its acts, oldest first."""
    app = audited.create(folder, **settings)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        for method, path, options in requests:
            await client.request(method, path, **options)
    assert [str(fault) for chain in verify(folder / "audit") for fault in chain.faults] == []
    return [fields for fields in reversed(acts(folder / "audit", Filter())) if fields["act"] != "audit.opened"]


async def test_an_act_says_who_from_where_what_and_how_it_ended(tmp_path: Path) -> None:
    secret = KeyStore(tmp_path / "auth").create("anna", Scope.USER)
    anna = {"X-API-Key": secret}
    found = await recorded(
        tmp_path,
        [
            ("POST", "/v1/notes/one", {"headers": {**ADMIN, "X-Request-ID": "r1"}}),
            ("POST", "/v1/notes/taken", {"headers": ADMIN}),
            ("GET", "/v1/notes/one/markdown", {"headers": anna}),
            ("GET", "/v1/notes/one", {"headers": anna}),
            ("PUT", "/v1/providers", {"headers": anna, "json": {"why": "mine"}}),
            ("PUT", "/v1/providers", {"headers": ADMIN, "json": {"why": "stop"}}),
            ("GET", "/v1/audit", {"headers": anna}),
        ],
    )
    rows = [(f["act"], f["who"]["name"], f["status"], f.get("problem")) for f in found]
    assert rows == [
        ("post request", "environment", 200, None),
        ("post request", "environment", 409, "conflict"),
        ("note.export", "anna", 200, None),
        ("providers.change", "anna", 403, "forbidden"),
        ("providers.change", "environment", 200, None),
        ("audit.read", "anna", 403, "forbidden"),
    ]
    assert found[0]["who"]["address"] == "127.0.0.1"
    assert (found[0]["request_id"], found[0]["target"]) == ("r1", "/v1/notes/one")
    assert found[4]["given"] == {"why": "stop"}
    assert not any(secret in path.read_text() for path in (tmp_path / "audit").glob("*.jsonl"))


async def test_strangers_are_recorded_and_can_not_fill_the_disk(tmp_path: Path) -> None:
    refused = [("GET", f"/v1/notes/{number}", {"headers": {"X-API-Key": "junk"}}) for number in range(40)]
    found = await recorded(tmp_path, refused)
    assert {f["who"]["key"] for f in found} == {"stranger"}
    assert {f["act"] for f in found} == {"sign-in"}
    assert {f["status"] for f in found} == {401, 429}
    assert sum(f.get("count", 1) for f in found) == 40
    assert len(found) <= 4


@pytest.mark.parametrize("kept", ["hash", "text"])
async def test_a_question_is_a_hash_unless_its_words_are_wanted(tmp_path: Path, kept: str) -> None:
    question = "how_old_is_the_bridge"
    found = await recorded(
        tmp_path, [("POST", "/v1/query", {"headers": ADMIN, "json": {"question": question}})], audit_questions=kept
    )
    [asked] = [f for f in found if f["act"] == "question"]
    assert asked["question"]["sha256"] == hashlib.sha256(question.encode()).hexdigest()
    assert asked["question"]["length"] == len(question)
    assert (question in json.dumps(found)) is (kept == "text")


async def test_the_log_is_read_by_admins_with_filters(tmp_path: Path) -> None:
    app = audited.create(tmp_path)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers=ADMIN) as client:
        for name in ("one", "two"):
            await client.post(f"/v1/notes/{name}")
        await client.get("/v1/notes/one/markdown")
        rows = (await client.get("/v1/audit", params={"what": "note", "who": "127.0.0.1"})).json()["items"]
        assert [row["act"] for row in rows] == ["note.export"]
        assert len((await client.get("/v1/audit", params={"what": "post request", "limit": 1})).json()["items"]) == 1
        assert (await client.get("/v1/audit", params={"since": "2999-01-01T00:00:00Z"})).json() == {"items": []}
        assert (await client.get("/v1/audit", params={"since": "yesterday"})).status_code == 422


async def test_nothing_is_done_that_cannot_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = audited.create(tmp_path)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, headers=ADMIN) as client:
        assert (await client.post("/v1/notes/one")).status_code == 200
        with monkeypatch.context() as broken:
            broken.setattr(Chain, "append", _full)
            answer = await client.post("/v1/notes/two")
            assert (answer.status_code, answer.json()["type"]) == (507, "urn:switchyard:problem:storage-unavailable")
            assert (await client.get("/v1/notes/one")).status_code == 200
        assert (await client.post("/v1/notes/three")).status_code == 200
    assert {path.name for path in (tmp_path / "done").iterdir()} == {"one", "three"}
    assert next(f["count"] for f in acts(tmp_path / "audit", Filter(what="audit.lost"))) >= 1


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


async def test_an_entry_that_cannot_be_made_ends_its_request_and_not_the_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, "rag", Retention(file_bytes=1 << 20, keep_days=4, keep_bytes=1 << 30))
    log.start()
    odd = log.begin(lambda: {"act": str(1 / 0)}, durable=True)
    with pytest.raises(StorageUnavailable):
        await asyncio.wait_for(asyncio.wrap_future(odd), 60)
    await asyncio.wait_for(log.write({"time": now(), "act": "next", "who": {"key": "k"}}), 60)
    log.close()
    assert [fields["act"] for fields in acts(tmp_path, Filter())][:2] == ["next", "audit.lost"]


def test_no_cell_of_an_export_is_a_formula() -> None:
    table = as_csv([{"time": "t", "act": "a", "who": {"key": "k", "name": "=HYPERLINK(1)"}, "target": " @SUM(1)"}])
    assert ",'=HYPERLINK(1)," in table
    assert ",' @SUM(1)," in table


@pytest.mark.security
async def test_a_killed_process_loses_no_act(tmp_path: Path) -> None:
    """Killed 50 times while it works: whatever it has done is in the log, and what had not ended is closed as unknown."""
    chance = random.Random(20)
    names = count()
    with (tmp_path / "output").open("wb") as output:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, str(APP), str(tmp_path), stdin=PIPE, stdout=PIPE, stderr=output
        )
        try:
            for _ in range(50):
                await _until_killed(parent, chance.randrange(1, 40), names, chance.random() / 100)
        finally:
            parent.kill()
            await parent.wait()
    await recorded(tmp_path, [])
    found = acts(tmp_path / "audit", Filter())
    changes = {f["target"].rpartition("/")[2] for f in found if f["act"] == "post request"}
    questions = {f["question"]["sha256"] for f in found if "question" in f}
    done = {path.name for path in (tmp_path / "done").iterdir()}
    assert len(done) > 50
    assert {name for name in done if name.startswith("c")} <= changes
    assert {hashlib.sha256(name.encode()).hexdigest() for name in done if name.startswith("q")} <= questions
    assert all(f.get("outcome") != "under way" for f in found)
    assert any(f.get("outcome") == ENDED for f in found)


async def _until_killed(parent: asyncio.subprocess.Process, least: int, names: count[int], delay: float) -> None:
    assert parent.stdin is not None
    assert parent.stdout is not None
    port = free_port()
    parent.stdin.write(f"{port}\n".encode())
    process = int(await parent.stdout.readline())
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=ADMIN, timeout=60) as client:
        while not await _is_up(client):
            await asyncio.sleep(0.02)
        answered = count()
        enough = asyncio.Event()

        async def work() -> None:
            while True:
                number = next(names)
                try:
                    if number % 2:
                        await client.post(f"/v1/notes/c{number}")
                    else:
                        await client.post("/v1/query", json={"question": f"q{number}"})
                except httpx2.TransportError:
                    return
                if next(answered) >= least:
                    enough.set()

        workers = [asyncio.create_task(work()) for _ in range(4)]
        await enough.wait()
        # Somewhere between an act and its row.
        await asyncio.sleep(delay)
        os.kill(process, signal.SIGKILL)
        await asyncio.gather(*workers)
    assert await parent.stdout.readline() == b"ended\n"


async def _is_up(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).is_success
    except httpx2.TransportError:
        return False
