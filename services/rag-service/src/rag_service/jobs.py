"""Ingestion jobs as callers see them: start, get, watch, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sqlalchemy import select, update

from rag_service.tables import CANCELLED, FINISHED, QUEUED, RUNNING, Document, Job
from service_kit.auth import Principal
from service_kit.database import Database
from service_kit.durable import Durable
from service_kit.errors import Conflict, NotFound
from service_kit.pages import Page, decode, page

_WATCH_SECONDS = 0.25


class Jobs:
    """Rows tell how far a job is; the durable engine drives it."""

    def __init__(self, database: Database, durable: Durable) -> None:
        self._database = database
        self._durable = durable

    async def start(self, job_id: str, kind: str = "ingest") -> None:
        await self._durable.start(kind, job_id)

    async def start_forgotten(self) -> None:
        """Enqueue jobs that were stored but not enqueued when the process stopped; the others are not touched."""
        async with self._database.reading() as session:
            statement = select(Job).where(Job.status.in_([QUEUED, RUNNING]))
            waiting = list(await session.scalars(statement))
        for job in waiting:
            await self.start(job.id, job.kind)

    async def get(self, job_id: str, principal: Principal) -> Job:
        async with self._database.reading() as session:
            job = await session.get(Job, job_id)
        if job is None or not principal.may_use(job.collection):
            raise NotFound(f"there is no job {job_id!r}", field="job_id")
        return job

    async def listing(self, principal: Principal, status: str | None, limit: int, cursor: str | None) -> Page[Job]:
        statement = select(Job)
        if status is not None:
            statement = statement.where(Job.status == status)
        if principal.collections is not None:
            statement = statement.where(Job.collection.in_(principal.collections))
        if (before := decode(cursor)) is not None:
            statement = statement.where(Job.id < before)
        async with self._database.reading() as session:
            rows = list(await session.scalars(statement.order_by(Job.id.desc()).limit(limit + 1)))
        return page(rows, [row.id for row in rows], limit)

    async def watch(self, job_id: str, principal: Principal) -> AsyncGenerator[Job, None]:
        """Yield the job now, at each change, and for the last time when it has finished."""
        seen = None
        while True:
            job = await self.get(job_id, principal)
            state = (job.status, job.stage, job.pages_done, job.pages_total, job.chunks_done, job.waiting_for)
            if state != seen:
                seen = state
                yield job
            if job.status in FINISHED:
                return
            await asyncio.sleep(_WATCH_SECONDS)

    async def cancel(self, job_id: str, principal: Principal) -> Job:
        """Stop the job; its document stays, as cancelled. Raises `Conflict` if it has finished."""
        job = await self.get(job_id, principal)
        if job.status in FINISHED:
            raise Conflict(f"this job is {job.status} already")
        await self.stop(job_id)
        return await self.get(job_id, principal)

    async def stop(self, job_id: str) -> None:
        async with self._database.writing() as session:
            open_job = (Job.id == job_id) & Job.status.in_([QUEUED, RUNNING])
            stopped = await session.scalar(
                update(Job).where(open_job).values(status=CANCELLED, waiting_for=None).returning(Job.document_id)
            )
            if stopped is not None:
                own = (Document.id == stopped) & Document.status.in_([QUEUED, RUNNING])
                await session.execute(update(Document).where(own).values(status=CANCELLED))
        if stopped is not None:
            await self._durable.cancel(job_id)
