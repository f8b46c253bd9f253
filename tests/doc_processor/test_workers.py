from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path

import pytest
import structlog

from doc_processor.errors import WorkersUnavailable
from doc_processor.workers import protocol
from doc_processor.workers.pool import WorkerPool
from doc_processor.workers.worker import WorkerCrashed, WorkerTimedOut

CRASH, HANG, GRANDCHILD, MEMORY, PRINT, ENVIRONMENT, BUG, GREEDY, SOCKET, READ, WRITE, RUN = range(101, 113)


def task(path: Path, number: int) -> protocol.Message:
    return {
        "task": "page", "path": str(path), "name": "a.txt", "declared": "", "media_type": "text/plain", "number": number,
    }  # fmt: skip


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_text("500 pages")
    return path


async def text_of(pool: WorkerPool, path: Path, number: int = 1) -> str:
    return str((await pool.run(task(path, number)))["ok"]["text"])


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def appears(path: Path) -> str:
    async with asyncio.timeout(20):
        while not (path.exists() and path.read_text()):
            await asyncio.sleep(0.01)
    return path.read_text()


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):
            await asyncio.sleep(0.01)


async def test_a_worker_is_kept_for_the_next_task(make_pool, document) -> None:
    pool = make_pool(misbehaving=True)
    first = await text_of(pool, document, 1)
    second = await text_of(pool, document, 2)
    assert first.split()[-1] == second.split()[-1]
    assert pool.idle == 1


async def test_a_crash_costs_one_task(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1)
    before = await text_of(pool, document)
    with pytest.raises(WorkerCrashed):
        await pool.run(task(document, CRASH))
    after = await text_of(pool, document)
    assert before.split()[-1] != after.split()[-1]


async def test_a_hanging_worker_is_killed(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1, task_seconds=1.0)
    with pytest.raises(WorkerTimedOut):
        await pool.run(task(document, HANG))
    await gone(int(await appears(document.with_name("hanging"))))
    assert await text_of(pool, document)


async def test_what_a_worker_started_dies_with_it(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, task_seconds=1.5)
    with pytest.raises(WorkerTimedOut):
        await pool.run(task(document, GRANDCHILD))
    await gone(int(await appears(document.with_name("grandchild"))))


async def test_cancelling_stops_the_work(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1)
    running = asyncio.create_task(pool.run(task(document, HANG)))
    pid = int(await appears(document.with_name("hanging")))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(pid)
    assert await text_of(pool, document)


async def test_memory_is_bounded(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1)
    reply = await pool.run(task(document, MEMORY))
    assert reply["refused"] == "unpacks-too-large"
    assert await text_of(pool, document)


async def test_a_worker_that_has_grown_large_is_replaced(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1)
    grown = await text_of(pool, document, GREEDY)
    fresh = await text_of(pool, document)
    assert grown.split()[-1] != fresh.split()[-1]


async def test_a_parsers_bug_is_told_without_the_text(make_pool, document) -> None:
    reply = await make_pool(misbehaving=True).run(task(document, BUG))
    assert reply["refused"] == "unreadable-document"
    assert reply["exception"] == "builtins.ZeroDivisionError"
    assert "text of the page" not in str(reply)


async def test_libraries_may_print(make_pool, document) -> None:
    pool = make_pool(misbehaving=True)
    assert (await text_of(pool, document, PRINT)).startswith("page 105")


async def test_workers_do_not_see_the_services_secrets(make_pool, document, monkeypatch) -> None:
    monkeypatch.setenv("ADMIN_API_KEY", "secret")
    seen = await text_of(make_pool(misbehaving=True), document, ENVIRONMENT)
    assert "ADMIN_API_KEY" not in seen
    assert "OMP_THREAD_LIMIT" in seen


async def test_no_more_workers_than_asked_for(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=2)
    texts = await asyncio.gather(*(text_of(pool, document, number) for number in range(1, 40)))
    assert [int(text.split()[1]) for text in texts] == list(range(1, 40))
    assert len({text.split()[-1] for text in texts}) == 2


async def test_idle_workers_stop(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, idle_seconds=0.2)
    pid = int((await text_of(pool, document)).split()[-1])
    await gone(pid)
    assert pool.idle == 0


async def test_workers_are_replaced_after_many_tasks(make_pool, document) -> None:
    pool = make_pool(misbehaving=True, size=1, tasks_per_worker=3)
    pids = [(await text_of(pool, document)).split()[-1] for _ in range(6)]
    assert pids[0] == pids[2]
    assert pids[2] != pids[3]


async def test_forgetting_closes_the_file(make_pool, tmp_path, samples, passage) -> None:
    path = tmp_path / "upload"
    path.write_bytes(samples.pdf(passage))
    pool = make_pool()
    opening = {**task(path, 1), "task": "open"}
    assert (await pool.run(opening))["ok"]["pages"] == 1
    assert _holders(path)
    await pool.forget(str(path))
    assert not _holders(path)
    assert pool.idle == 1


def _holders(path: Path) -> list[str]:
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == str(path):
                found.append(str(link))
        except OSError:
            continue
    return found


async def test_a_pool_that_cannot_start_says_so(make_pool, document) -> None:
    with pytest.raises(WorkersUnavailable):
        await make_pool(command=("/nonexistent/worker",)).run(task(document, 1))
    with pytest.raises(WorkersUnavailable):
        await make_pool(command=("/bin/false",)).run(task(document, 1))


async def test_closing_stops_every_worker(make_pool, document) -> None:
    pool = make_pool(misbehaving=True)
    pid = int((await text_of(pool, document)).split()[-1])
    await pool.aclose()
    assert not alive(pid)


def test_messages_are_bounded_and_plain() -> None:
    with pytest.raises(protocol.BadMessage):
        protocol.body_length(struct.pack(">I", protocol.MAX_MESSAGE_BYTES + 1))
    for body in (b"\x80\x04K\x01.", b"[1]", b"\xff"):
        with pytest.raises(protocol.BadMessage):
            protocol.decode(body)
    message = {"text": "naïve \ud800"}
    assert protocol.decode(protocol.encode(message)[4:]) == message


@pytest.mark.parametrize(
    ("attempt", "end"), [(SOCKET, "PermissionError"), (READ, "PermissionError"), (WRITE, "PermissionError"), (RUN, "1")]
)
async def test_a_worker_that_was_taken_over_reaches_nothing(
    make_pool, document, tmp_path_factory, attempt, end
) -> None:
    keys = tmp_path_factory.mktemp("auth") / "keys.json"
    keys.write_text("[]")
    document.write_text(f"500 {keys}")
    pool = make_pool(misbehaving=True)
    await text_of(pool, document)
    if attempt != SOCKET and "files" not in pool._idle[0].confined:
        pytest.skip("this kernel has no Landlock")
    assert await text_of(pool, document, attempt) == end
    assert not keys.with_name("written").exists()


async def test_a_kernel_that_cannot_confine_is_reported(make_pool, document, monkeypatch) -> None:
    monkeypatch.setattr(
        "doc_processor.workers.pool._CONFINEMENT", frozenset({"files", "network", "what no kernel has"})
    )
    with structlog.testing.capture_logs() as lines:
        await text_of(make_pool(misbehaving=True), document)
    assert [line["missing"] for line in lines if "missing" in line] == [["what no kernel has"]]
