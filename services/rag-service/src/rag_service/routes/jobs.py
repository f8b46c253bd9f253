"""`/v1/jobs`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from fastapi import APIRouter

from rag_service.schemas import JobOut
from rag_service.state import Rag
from rag_service.tables import Job
from service_kit.auth import User
from service_kit.pages import Cursor, Limit, Page
from service_kit.sse import EventStream, encode

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Status = Literal["queued", "running", "ready", "failed", "cancelled"]


@router.get("")
async def list_jobs(
    rag: Rag, user: User, status: Status | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[JobOut]:
    """List jobs, newest first."""
    found = await rag.jobs.listing(user, status, limit, cursor)
    return Page(items=[JobOut.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.get("/{job_id}")
async def get_job(job_id: str, rag: Rag, user: User) -> JobOut:
    """Say how far a job is: pages and chunks done, of how many."""
    return JobOut.model_validate(await rag.jobs.get(job_id, user))


@router.get("/{job_id}/events", response_class=EventStream)
async def watch_job(job_id: str, rag: Rag, user: User) -> EventStream:
    """Stream the job as `progress` events, one at each change, and at its end one named after how it ended."""
    await rag.jobs.get(job_id, user)
    return EventStream(_frames(rag.jobs.watch(job_id, user)))


async def _frames(states: AsyncGenerator[Job, None]) -> AsyncGenerator[str, None]:
    async with aclosing(states) as events:
        async for job in events:
            out = JobOut.model_validate(job)
            yield encode("progress" if out.status in ("queued", "running") else out.status, out)


@router.delete("/{job_id}")
async def cancel_job(job_id: str, rag: Rag, user: User) -> JobOut:
    """Cancel a job that has not finished; its document stays, as cancelled, and may be added again."""
    return JobOut.model_validate(await rag.jobs.cancel(job_id, user))
