"""`/v1/process`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Header, Query, Request, UploadFile
from starlette.responses import Response

from doc_processor.events import ProcessedDocument
from doc_processor.page_reader import UploadedFile
from doc_processor.processor import Processor
from doc_processor.responses import respond
from service_kit.auth import User
from service_kit.processor import ASKED_FOR

router = APIRouter(prefix="/v1", tags=["process"])
_NAME_CHARACTERS = 255


def _processor(request: Request) -> Processor:
    processor: Processor = request.app.state.processor
    return processor


async def _received(
    file: Annotated[UploadFile, File(description="The document")],
    processor: Annotated[Processor, Depends(_processor)],
    principal: User,
    asked_for: Annotated[str | None, Header(alias=ASKED_FOR, include_in_schema=False)] = None,
) -> AsyncGenerator[UploadedFile, None]:
    # Some clients send whole paths, of either kind.
    name = PurePosixPath((file.filename or "").replace("\\", "/")).name[-_NAME_CHARACTERS:]
    # Only services say for whom they ask; workers are shared between those.
    owner = f"for {asked_for}" if principal.id == "service" and asked_for else principal.id
    async with processor.received(file, name, file.content_type or "", owner) as source:
        yield source


_STREAMS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ProcessedDocument,
        "description": "JSON at the end; or, as `Accept` asks, events as pages are done: `document`, `page`…, then "
        "`done` or `error`",
        "content": {"application/x-ndjson": {}, "text/event-stream": {}},
    }
}


@router.post("/process", responses=_STREAMS)
async def process(
    request: Request,
    source: Annotated[UploadedFile, Depends(_received)],
    processor: Annotated[Processor, Depends(_processor)],
    first_page: Annotated[int, Query(ge=1, description="Begin here: pages before it were read earlier")] = 1,
) -> Response:
    """Turn a file into text, page by page."""
    document = await processor.open(source, first_page)
    return await respond(document, request)
