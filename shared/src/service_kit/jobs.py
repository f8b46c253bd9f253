"""Jobs: rows that callers get, list, watch and cancel, and the life cycle of a row while the durable engine runs it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, field_serializer
from sqlalchemy import JSON, ColumnElement, case, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from llm_providers.errors import DeadlineExceeded, Halted, Unavailable
from service_kit.auth import Principal, User
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.errors import Conflict, Forbidden, NotFound, UpstreamUnavailable
from service_kit.keys import Scope
from service_kit.metrics import JobMetrics
from service_kit.pages import Cursor, Limit, Page, decode, page
from service_kit.problems import problem
from service_kit.sse import EventStream, encode

QUEUED, RUNNING, READY, FAILED, CANCELLED = "queued", "running", "ready", "failed", "cancelled"
OPEN = (QUEUED, RUNNING)
Status: TypeAlias = Literal["queued", "running", "ready", "failed", "cancelled"]
_WATCH_SECONDS = 0.25
_MAX_WAIT_SECONDS = 30.0
T = TypeVar("T")
log = structlog.get_logger(__name__)


def now() -> datetime:
    """Return the time as rows hold it: UTC without a zone, because SQLite stores none."""
    return datetime.now(UTC).replace(tzinfo=None)


class JobColumns:
    """The columns of the jobs of every service; a service adds its progress."""

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=QUEUED)
    stage: Mapped[str] = mapped_column(default="waiting")
    waiting_for: Mapped[str | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    ahead = 0
    """How many jobs of its kind are open that were there before it; not stored, and 0 once it runs."""


class Row(BaseModel):
    """A model that is read off a database row; times are UTC."""

    model_config = ConfigDict(from_attributes=True)
    created: datetime

    @field_serializer("created", "updated", check_fields=False)
    def _utc(self, moment: datetime) -> str:
        return moment.isoformat(timespec="milliseconds") + "Z"


class JobRow(Row):
    """A job; a service adds its progress."""

    id: str
    kind: str
    status: Status
    stage: str
    ahead: int = Field(description="How many jobs of this kind were there before it and are not done, while it waits")
    waiting_for: str | None = Field(description="What the job waits for, if a peer is away")
    error: dict[str, Any] | None = Field(description="The problem detail of a failed job")
    updated: datetime


J = TypeVar("J", bound=JobColumns)


class _Poll(Generic[J]):
    """One job, read again and again for as long as somebody watches it."""

    def __init__(self, read: Callable[[], Awaitable[J]]) -> None:
        self._read = read
        self._latest: J | None = None
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.watchers = 0

    async def states(self) -> AsyncGenerator[J, None]:
        """Yield the job as it is, at each change, and when it has ended; raises what reading it does."""
        self.watchers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        seen = None
        try:
            while True:
                changed = self._changed
                if self._error is not None:
                    raise self._error
                if (job := self._latest) is not None and job is not seen:
                    seen = job
                    yield job
                    if job.status not in OPEN:
                        return
                else:
                    await changed.wait()
        finally:
            self.watchers -= 1
            if not self.watchers:
                self._task.cancel()

    async def _run(self) -> None:
        previous = None
        while self._latest is None or self._latest.status in OPEN:
            try:
                job = await self._read()
            except Exception as error:
                self._error = error
                self._changed.set()
                return
            state = {name: value for name, value in vars(job).items() if name not in ("_sa_instance_state", "updated")}
            if state != previous:
                previous, self._latest = state, job
                told, self._changed = self._changed, asyncio.Event()
                told.set()
            await asyncio.sleep(_WATCH_SECONDS)


@dataclass(slots=True)
class Jobs(Generic[J]):
    """The jobs of one service.

    `visible` is the SQL condition for the jobs that a caller may see. `on_status_change` is called in each transaction
    that changes a job's status; it writes the status to the row that the job is about.
    """

    database: Database
    durable: Durable
    table: type[J]
    visible: Callable[[Principal], ColumnElement[bool]]
    on_status_change: Callable[[AsyncSession, J], Awaitable[None]]
    metrics: JobMetrics
    admin_kinds: Collection[str] = ()
    """The kinds of jobs that only an admin begins and cancels."""
    on_cancelled: Callable[[J], Awaitable[None]] | None = None
    """Called once a job has been cancelled, to remove what the database does not hold."""
    _polls: dict[str, _Poll[J]] = field(default_factory=dict, init=False)

    async def start(self, job_id: str, *, kind: str) -> None:
        await self.durable.start(job_id, task=kind)

    async def start_forgotten(self) -> None:
        """Enqueue jobs that were stored but not enqueued when the process stopped; the others are not touched."""
        async with self.database.reading() as session:
            unfinished = list(await session.scalars(select(self.table).where(self.table.status.in_(OPEN))))
        for job in unfinished:
            await self.start(job.id, kind=job.kind)

    async def begin(self, job_id: str, stage: str) -> J:
        """Mark the job as running, in `stage`; raises `Conflict` if it has ended."""
        async with self.database.writing() as session:
            job = await session.get_one(self.table, job_id)
            if job.status not in OPEN:
                raise Conflict(f"this job is {job.status}")
            job.status, job.stage = RUNNING, stage
            await self.on_status_change(session, job)
        return job

    @asynccontextmanager
    async def finishing(self, job_id: str) -> AsyncGenerator[tuple[AsyncSession, J], None]:
        """Mark the job as ready in the transaction in which the block stores its result.

        Raises `Conflict` if the job is not running any more.
        """
        async with self.database.writing() as session:
            job = await session.get_one(self.table, job_id)
            if job.status != RUNNING:
                raise Conflict(f"this job is {job.status}")
            job.status, job.stage, job.waiting_for = READY, "done", None
            await self.on_status_change(session, job)
            yield session, job
        self.metrics.ended(job.kind, READY)

    async def fail(self, job_id: str, error: Exception) -> None:
        """Mark the job as failed and record the problem; one that has ended stays as it is."""
        async with self.database.writing() as session:
            job = await session.get(self.table, job_id)
            if job is None or job.status not in OPEN:
                return
            job.status, job.waiting_for, job.error = FAILED, None, problem(error)
            await self.on_status_change(session, job)
        self.metrics.ended(job.kind, FAILED)

    async def get(self, job_id: str, principal: Principal) -> J:
        return await self._read(job_id, self.visible(principal))

    async def _read(self, job_id: str, condition: ColumnElement[bool]) -> J:
        statement = select(self.table).where(self.table.id == job_id, condition)
        async with self.database.reading() as session:
            job = await session.scalar(statement)
            if job is not None:
                await self._place(session, [job])
        if job is None:
            raise NotFound(f"there is no job {job_id!r}", field="job_id")
        return job

    async def _place(self, session: AsyncSession, jobs: list[J]) -> None:
        """Tell those that wait their place in the queue: ids are in the order in which jobs came."""
        if not any(job.status == QUEUED for job in jobs):
            return
        statement = select(self.table.kind, self.table.id).where(self.table.status.in_(OPEN))
        queues = defaultdict[str, list[str]](list)
        for kind, identity in await session.execute(statement.order_by(self.table.id)):
            queues[kind].append(identity)
        for job in jobs:
            job.ahead = bisect_left(queues[job.kind], job.id) if job.status == QUEUED else 0

    async def listing(self, principal: Principal, status: str | None, limit: int, cursor: str | None) -> Page[J]:
        """List newest first."""
        statement = select(self.table).where(self.visible(principal))
        if status is not None:
            statement = statement.where(self.table.status == status)
        if (before := decode(cursor)) is not None:
            statement = statement.where(self.table.id < before)
        async with self.database.reading() as session:
            rows = list(await session.scalars(statement.order_by(self.table.id.desc()).limit(limit + 1)))
            await self._place(session, rows)
        return page(rows, [row.id for row in rows], limit)

    async def watch(self, job_id: str, principal: Principal) -> AsyncGenerator[J, None]:
        """Yield the job now, at each change, and for the last time when it has finished.

        However many watch a job in this process, it is read for all of them at once.
        """
        await self.get(job_id, principal)
        if (poll := self._polls.get(job_id)) is None:
            poll = self._polls[job_id] = _Poll(lambda: self._read(job_id, true()))
        try:
            async with aclosing(poll.states()) as states:
                async for job in states:
                    yield job
        finally:
            if not poll.watchers and self._polls.get(job_id) is poll:
                del self._polls[job_id]

    async def cancel(self, job_id: str, principal: Principal) -> J:
        """Stop the job; raises `Conflict` if it has finished, and `Forbidden` for a user where an admin began it."""
        job = await self.get(job_id, principal)
        if job.kind in self.admin_kinds and principal.scope is not Scope.ADMIN:
            raise Forbidden("an admin began this job, and an admin cancels it")
        if job.status not in OPEN:
            raise Conflict(f"this job is {job.status} already")
        await self.stop(job_id)
        return await self.get(job_id, principal)

    async def retry_until_available(
        self, job_id: str, attempt: Callable[[], Awaitable[T]], deadline_attempts: int | None = None
    ) -> T:
        """Retry while a peer is unavailable or generation is halted; the job says what it waits for.

        What does not fit its own time budget is tried `deadline_attempts` times, then `DeadlineExceeded` is raised: it
        may never fit. The count is not stored, so a restart begins it again.
        """
        wait, exceeded = 0.5, 0
        while True:
            try:
                return await attempt()
            except (Unavailable, DeadlineExceeded, Halted, UpstreamUnavailable) as error:
                exceeded += isinstance(error, DeadlineExceeded)
                if exceeded == deadline_attempts:
                    raise
                log.warning("job waits", job=job_id, error=type(error).__name__, seconds=wait)
                async with self.database.writing() as session:
                    values = {"waiting_for": str(error)[:500]}
                    await session.execute(update(self.table).where(self.table.id == job_id).values(values))
                await asyncio.sleep(max(wait, min(error.retry_after or 0, _MAX_WAIT_SECONDS)))
                wait = min(wait * 2, _MAX_WAIT_SECONDS)

    async def stop(self, job_id: str) -> None:
        """Cancel the job if it is open."""
        is_open = (self.table.id == job_id) & self.table.status.in_(OPEN)
        async with self.database.writing() as session:
            statement = update(self.table).where(is_open).values(status=CANCELLED, waiting_for=None)
            job = await session.scalar(statement.returning(self.table))
            if job is not None:
                await self.on_status_change(session, job)
        if job is not None:
            self.metrics.ended(job.kind, CANCELLED)
            await self.durable.cancel(job_id)
            if self.on_cancelled is not None:
                await self.on_cancelled(job)

    async def count(self) -> None:
        """Show in the metrics how many jobs are open; raises what the database does."""
        state = case((self.table.waiting_for.is_not(None), "waiting"), else_=self.table.status).label("state")
        counted = select(self.table.kind, state, func.count()).where(self.table.status.in_(OPEN))
        try:
            async with self.database.reading() as session:
                rows = (await session.execute(counted.group_by(self.table.kind, state))).all()
        except BaseException:
            self.metrics.hide()
            raise
        self.metrics.show({(row[0], row[1]): row[2] for row in rows})


def routes(jobs_of: Callable[[Request], Jobs[Any]], out: type[JobRow]) -> APIRouter:
    """Make `/v1/jobs` for a service whose jobs look like `out`."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @router.get("", response_model=Page[out])  # type: ignore[valid-type]
    async def list_jobs(
        request: Request, user: User, status: Status | None = None, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[Any]:
        """List jobs, newest first."""
        jobs = await jobs_of(request).listing(user, status, limit, cursor)
        return Page(items=[out.model_validate(row) for row in jobs.items], next_cursor=jobs.next_cursor)

    @router.get("/{job_id}", response_model=out)
    async def get_job(job_id: str, request: Request, user: User) -> Any:
        """Return a job and its progress."""
        return await jobs_of(request).get(job_id, user)

    @router.get("/{job_id}/events", response_class=EventStream)
    async def watch_job(job_id: str, request: Request, user: User) -> EventStream:
        """Stream the job as `progress` events, one at each change, and at the end one that is named after the final status."""
        jobs = jobs_of(request)
        await jobs.get(job_id, user)
        return EventStream(_frames(jobs.watch(job_id, user), out))

    @router.delete("/{job_id}", response_model=out)
    async def cancel_job(job_id: str, request: Request, user: User) -> Any:
        """Cancel a job that has not finished; its document or note stays, as cancelled."""
        return await jobs_of(request).cancel(job_id, user)

    return router


async def _frames(states: AsyncGenerator[Any, None], out: type[JobRow]) -> AsyncGenerator[str, None]:
    async with aclosing(states) as events:
        async for job in events:
            shown = out.model_validate(job)
            yield encode("progress" if shown.status in OPEN else shown.status, shown)
