"""`/v1/reports`: what `switchyard compare` and `switchyard migrate` found, for the page."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from rag_service.reports import ReportIn, ReportOut
from rag_service.state import Rag
from service_kit.auth import Admin

router = APIRouter(prefix="/v1/reports", tags=["reports"])
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""A report is what somebody sent: it runs nothing, loads nothing, and is a stranger to the page's session."""


class ReportsOut(BaseModel):
    items: list[ReportOut]


@router.post("", status_code=201)
async def publish_report(given: ReportIn, rag: Rag, admin: Admin) -> ReportOut:
    """Keep a report, so that the page shows it; the newest 100 are kept."""
    return await asyncio.to_thread(rag.reports.publish, given)


@router.get("")
async def list_reports(rag: Rag, admin: Admin) -> ReportsOut:
    """List the reports, newest first."""
    return ReportsOut(items=await asyncio.to_thread(rag.reports.all))


@router.get("/{report_id}", response_class=HTMLResponse)
async def get_report(report_id: str, rag: Rag, admin: Admin) -> HTMLResponse:
    """Return a report as the page that it is."""
    page = await asyncio.to_thread(rag.reports.page, report_id)
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.delete("/{report_id}", status_code=204)
async def delete_report(report_id: str, rag: Rag, admin: Admin) -> None:
    """Delete a report."""
    await asyncio.to_thread(rag.reports.delete, report_id)
