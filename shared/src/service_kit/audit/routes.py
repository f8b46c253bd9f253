"""`GET /v1/audit`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from service_kit.audit.log import FOLDER
from service_kit.audit.reading import Filter, acts, utc
from service_kit.auth import Admin
from service_kit.state import service_state

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("")
async def get_acts(
    request: Request,
    user: Admin,
    since: Annotated[AwareDatetime | None, Query(description="Only acts from this time on")] = None,
    who: Annotated[str | None, Query(max_length=200, description="Id or name of a key, or an address")] = None,
    what: Annotated[
        str | None, Query(max_length=100, description="`document`, `document.delete`, `sign-in` ...")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List who did what, newest first; of the services that share this data folder. Admin keys only."""
    folder = service_state(request.app).settings.data_dir / FOLDER
    wanted = Filter(utc(since) if since else None, who, what)
    return {"items": await asyncio.to_thread(acts, folder, wanted, limit)}
