"""`/v1/process`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from doc_processor.events import PageView, ProcessedDocument
from doc_processor.page_reader import UploadedFile
from doc_processor.processor import Processor
from doc_processor.responses import respond
from service_kit import filenames
from service_kit.auth import User
from service_kit.bodies import form
from service_kit.errors import InvalidInput
from service_kit.processor import ASKED_FOR

router = APIRouter(prefix="/v1", tags=["process"])


def _processor(request: Request) -> Processor:
    processor: Processor = request.app.state.processor
    return processor


async def _received(
    request: Request,
    processor: Annotated[Processor, Depends(_processor)],
    principal: User,
    asked_for: Annotated[str | None, Header(alias=ASKED_FOR, include_in_schema=False)] = None,
) -> AsyncGenerator[UploadedFile, None]:
    # Only services say for whom they ask; workers are shared between those.
    owner = f"for {asked_for}" if principal.id == "service" and asked_for else principal.id
    async with AsyncExitStack() as stack:
        # The copy of the framework goes before the pages are read.
        async with form(request, max_files=1, max_fields=5) as parts:
            file = parts.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidInput("no file was sent: use the multipart field `file`", field="file")
            name = filenames.shown(file.filename or "")
            source = await stack.enter_async_context(processor.received(file, name, file.content_type or "", owner))
        yield source


# A parameter of FastAPI would be read before the route can say what a full disk means: the body is described by hand.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "The document"}},
                }
            }
        },
    }
}
_STREAMS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ProcessedDocument,
        "description": "JSON at the end; or, as `Accept` asks, events as pages are done: `document`, `page`…, then "
        "`done` or `error`",
        "content": {"application/x-ndjson": {}, "text/event-stream": {}},
    }
}


@router.post("/process", responses=_STREAMS, openapi_extra=_BODY)
async def process(
    request: Request,
    source: Annotated[UploadedFile, Depends(_received)],
    processor: Annotated[Processor, Depends(_processor)],
    first_page: Annotated[int, Query(ge=1, description="Begin here: pages before it were read earlier")] = 1,
    described: Annotated[int, Query(ge=0, description="Pictures that were described then, of those that may be")] = 0,
) -> Response:
    """Turn a file into text, page by page."""
    source.figures.take(described)
    document = await processor.open(source, first_page)
    return await respond(document, request)


@router.post("/view", openapi_extra=_BODY)
async def view(
    source: Annotated[UploadedFile, Depends(_received)],
    processor: Annotated[Processor, Depends(_processor)],
    page: Annotated[int, Query(ge=1)] = 1,
    width: Annotated[int, Query(ge=100, le=2400, description="Pixels")] = 1200,
) -> PageView:
    """Render a page of a PDF or of a picture, with the places of its words."""
    return await processor.view(source, page, width)
