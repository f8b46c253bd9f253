"""The life cycle of a job's row, and of the row that it is about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import event, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from llm_providers.errors import DeadlineExceeded, Halted, Unavailable
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.errors import Conflict, InvalidInput, NotFound
from service_kit.jobs import CANCELLED, FAILED, QUEUED, READY, RUNNING, JobColumns, Jobs
from service_kit.keys import Scope
from service_kit.metrics import JobMetrics


class Base(DeclarativeBase):
    pass


class Task(JobColumns, Base):
    __tablename__ = "tasks"


class Subject(Base):
    __tablename__ = "subjects"
    job_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    result: Mapped[str] = mapped_column(default="")


async def set_subject_status(session: AsyncSession, task: Task) -> None:
    await session.execute(update(Subject).where(Subject.job_id == task.id).values(status=task.status))


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs[Task]]:
    """Jobs with one stored job, whose row is about one subject."""
    database = Database.open(f"sqlite:///{tmp_path / 'rows.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.writing() as session:
        session.add(Task(id="job-1", kind="task"))
        session.add(Subject(job_id="job-1", status=QUEUED))
    durable = Durable.sqlite(tmp_path / "jobs.db")
    metrics = JobMetrics(CollectorRegistry(), {"task": ()})
    yield Jobs(database, durable, Task, lambda _: true(), set_subject_status, metrics)
    await database.aclose()


async def statuses(jobs: Jobs[Task]) -> tuple[str, str, str]:
    """Return the status of the job and of its subject, and the subject's result."""
    async with jobs.database.reading() as session:
        task, subject = await session.get_one(Task, "job-1"), await session.get_one(Subject, "job-1")
    return task.status, subject.status, subject.result


async def test_a_job_begins_and_finishes_together_with_its_subject(jobs: Jobs[Task]) -> None:
    assert (await jobs.begin("job-1", "working")).stage == "working"
    assert await statuses(jobs) == (RUNNING, RUNNING, "")
    async with jobs.finishing("job-1") as (session, task):
        (await session.get_one(Subject, task.id)).result = "done"
    assert await statuses(jobs) == (READY, READY, "done")
    with pytest.raises(Conflict):
        await jobs.begin("job-1", "again")


async def finish_badly(jobs: Jobs[Task]) -> None:
    async with jobs.finishing("job-1") as (session, task):
        (await session.get_one(Subject, task.id)).result = "half"
        raise InvalidInput("a mistake")


async def test_a_result_that_cannot_be_stored_leaves_the_job_running(jobs: Jobs[Task]) -> None:
    await jobs.begin("job-1", "working")
    with pytest.raises(InvalidInput):
        await finish_badly(jobs)
    assert await statuses(jobs) == (RUNNING, RUNNING, "")


async def test_a_failed_job_says_why(jobs: Jobs[Task]) -> None:
    await jobs.begin("job-1", "working")
    await jobs.fail("job-1", InvalidInput("no text"))
    assert (await statuses(jobs))[:2] == (FAILED, FAILED)
    async with jobs.database.reading() as session:
        error = await session.scalar(select(Task.error).where(Task.id == "job-1"))
    assert error is not None
    assert error["detail"] == "no text"


async def test_what_fails_after_the_end_changes_nothing(jobs: Jobs[Task]) -> None:
    await jobs.begin("job-1", "working")
    async with jobs.finishing("job-1") as (_, task):
        pass
    await jobs.fail(task.id, InvalidInput("tidying up"))
    assert (await statuses(jobs))[:2] == (READY, READY)


async def test_a_cancelled_job_is_neither_failed_nor_finished(jobs: Jobs[Task]) -> None:
    async with jobs.database.writing() as session:
        (await session.get_one(Task, "job-1")).status = CANCELLED
    await jobs.fail("job-1", InvalidInput("too late"))
    with pytest.raises(Conflict):
        await finish_badly(jobs)
    assert (await statuses(jobs))[0] == CANCELLED


async def test_what_never_fits_its_deadline_is_tried_a_bounded_number_of_times(jobs: Jobs[Task]) -> None:
    errors = [Unavailable("away"), DeadlineExceeded("spent"), Halted("halted"), DeadlineExceeded("spent again")]

    async def attempt() -> None:
        raise errors.pop(0)

    with pytest.raises(DeadlineExceeded, match="spent again"):
        await jobs.retry_until_available("job-1", attempt, deadline_attempts=2)
    assert errors == []
    async with jobs.database.reading() as session:
        assert await session.scalar(select(Task.waiting_for).where(Task.id == "job-1")) == "halted"


async def test_a_waiting_job_says_how_many_are_before_it(jobs: Jobs[Task]) -> None:
    async with jobs.database.writing() as session:
        session.add_all([Task(id=f"job-{number}", kind="task") for number in (2, 3, 4)])
        session.add(Task(id="job-0", kind="other"))
    await jobs.begin("job-1", "working")
    async with jobs.database.writing() as session:
        await session.execute(update(Task).where(Task.id == "job-2").values(status=READY))
    admin = Principal("key", "admin", Scope.ADMIN)
    listed = await jobs.listing(admin, None, 10, None)
    assert {job.id: job.ahead for job in listed.items} == {
        "job-0": 0, "job-1": 0, "job-2": 0, "job-3": 1, "job-4": 2
    }  # fmt: skip
    assert (await jobs.get("job-4", admin)).ahead == 2


async def test_two_hundred_watchers_read_a_job_no_oftener_than_one(jobs: Jobs[Task]) -> None:
    admin = Principal("k", "root", Scope.ADMIN)
    reads = 0

    def count(*_: object) -> None:
        nonlocal reads
        reads += 1

    watchers = 200
    seen: list[list[str]] = [[] for _ in range(watchers)]

    async def watch(states: list[str]) -> None:
        async for job in jobs.watch("job-1", admin):
            states += [f"{job.status} {job.stage}"]

    tasks = [asyncio.create_task(watch(states)) for states in seen]
    async with asyncio.timeout(60):
        while not all(seen):
            await asyncio.sleep(0.01)
        event.listen(jobs.database.engine.sync_engine, "before_cursor_execute", count)
        for stage in ("one", "two", "three"):
            await jobs.begin("job-1", stage)
            while not all(states[-1] == f"running {stage}" for states in seen):
                await asyncio.sleep(0.01)
        event.remove(jobs.database.engine.sync_engine, "before_cursor_execute", count)
        async with jobs.finishing("job-1"):
            pass
        await asyncio.gather(*tasks)
    assert all(
        states == ["queued waiting", *(f"running {s}" for s in ("one", "two", "three")), "ready done"]
        for states in seen
    )
    # With one reading for each watcher every change alone would cost 200 of them.
    assert reads < watchers
    assert jobs._polls == {}


async def test_whoever_stops_watching_leaves_nothing_behind(jobs: Jobs[Task]) -> None:
    admin = Principal("k", "root", Scope.ADMIN)
    first, second = jobs.watch("job-1", admin), jobs.watch("job-1", admin)
    assert (await anext(first)).status == (await anext(second)).status == QUEUED
    await first.aclose()
    await jobs.begin("job-1", "working")
    assert (await anext(second)).stage == "working"
    await second.aclose()
    assert jobs._polls == {}
    with pytest.raises(NotFound):
        await anext(jobs.watch("job-2", admin))
