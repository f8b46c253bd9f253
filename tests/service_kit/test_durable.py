"""Jobs that outlive the engine that ran them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import text

from service_kit.database import Database
from service_kit.durable import Durable, Task


class Recorder:
    """Steps that write down what was run; `gate` holds the second one."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.failures: list[str] = []
        self.gate = asyncio.Event()
        self.finished = asyncio.Event()

    async def first(self, job: str) -> None:
        self.ran.append(f"first {job}")

    async def second(self, job: str) -> None:
        self.ran.append(f"second {job}")
        await self.gate.wait()
        self.finished.set()

    async def broken(self, job: str) -> None:
        raise ValueError("quotes a document")

    async def failed(self, job: str, error: Exception) -> None:
        self.failures.append(f"{job}: {error}")
        self.finished.set()

    async def nothing(self) -> None:
        self.ran.append("resumed")


async def until(condition: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await condition.wait()


async def seen(recorder: Recorder, line: str) -> None:
    async with asyncio.timeout(10):
        while line not in recorder.ran:
            await asyncio.sleep(0.01)


async def test_an_interrupted_job_goes_on_with_the_step_it_was_in(tmp_path: Path) -> None:
    before, after = Recorder(), Recorder()
    for recorder in (before, after):
        engine = Durable.sqlite(tmp_path / "jobs.db")
        engine.add(Task("work", (recorder.first, recorder.second), recorder.failed), resume=recorder.nothing)
        await engine.launch()
        try:
            if recorder is before:
                await engine.start("job-1", task="work")
                await engine.start("job-1", task="work")
                await seen(recorder, "second job-1")
            else:
                recorder.gate.set()
                await until(recorder.finished)
        finally:
            await engine.aclose()
    assert before.ran == ["resumed", "first job-1", "second job-1"]
    assert "second job-1" in after.ran
    assert "first job-1" not in after.ran


async def test_a_job_that_meets_a_full_disk_goes_on_once_there_is_room(tmp_path: Path) -> None:
    """A real SQLite file that may not grow; what is not the disk's fault still fails at once."""
    database = Database.open(f"sqlite:///{tmp_path / 'rows.db'}")
    async with database.writing() as session:
        await session.execute(text("CREATE TABLE rows (text)"))
        pages = (await session.execute(text("PRAGMA page_count"))).scalar_one()
    room, tries, failures, done = pages, [], list[str](), asyncio.Event()

    async def write(job: str) -> None:
        tries.append(job)
        async with database.writing() as session:
            await session.execute(text(f"PRAGMA max_page_count = {room}"))
            await session.execute(text("INSERT INTO rows VALUES (zeroblob(100000))"))
        done.set()

    async def wrong(job: str) -> None:
        async with database.writing() as session:
            await session.execute(text("INSERT INTO no_such_table VALUES (1)"))

    async def failed(job: str, error: Exception) -> None:
        failures.append(f"{job}: {type(error).__name__}")
        done.set()

    engine = Durable.sqlite(tmp_path / "jobs.db")
    engine.add(Task("full", (write,), failed), Task("wrong", (wrong,), failed), resume=Recorder().nothing)
    await engine.launch()
    try:
        await engine.start("job-1", task="full")
        async with asyncio.timeout(10):
            while len(tries) < 2:
                await asyncio.sleep(0.01)
        assert not done.is_set()
        room = 1_000_000
        await until(done)
        assert failures == []
        done.clear()
        await engine.start("job-2", task="wrong")
        await until(done)
        assert failures == ["job-2: OperationalError"]
    finally:
        await engine.aclose()
        await database.aclose()


async def test_a_failed_step_is_told_and_a_cancelled_one_is_not(tmp_path: Path) -> None:
    recorder = Recorder()
    engine = Durable.sqlite(tmp_path / "jobs.db")
    engine.add(
        Task("bad", (recorder.broken, recorder.first), recorder.failed),
        Task("work", (recorder.second,), recorder.failed),
        resume=recorder.nothing,
    )
    await engine.launch()
    try:
        await engine.start("job-1", task="bad")
        await until(recorder.finished)
        assert recorder.failures == ["job-1: quotes a document"]
        await engine.start("job-2", task="work")
        await seen(recorder, "second job-2")
        await engine.cancel("job-2")
        recorder.gate.set()
    finally:
        await engine.aclose()
    assert "first job-1" not in recorder.ran
    assert len(recorder.failures) == 1
    assert b"quotes a document" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    # The loop's own thread pool is untouched by the engine's end.
    assert await asyncio.to_thread(lambda: "works") == "works"
