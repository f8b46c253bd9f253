"""HTTP responses for a document: a stream of NDJSON or server-sent events, or JSON at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from doc_processor.events import DoneEvent, ErrorEvent, PageEvent, ProcessedDocument
from doc_processor.processor import OpenedDocument
from service_kit import sse
from service_kit.errors import ServiceError
from service_kit.problems import problem
from service_kit.sse import EventStream

log = structlog.get_logger(__name__)


class LineStream(EventStream):
    """One JSON object a line, https://github.com/ndjson/ndjson-spec."""

    media_type = "application/x-ndjson"


async def respond(document: OpenedDocument, request: Request) -> Response:
    """Answer as the `Accept` header asks; JSON unless it asks for a stream."""
    accepted = request.headers.get("accept", "")
    for media_type, answer in _ANSWERS:
        if media_type in accepted:
            return await answer(document, request)
    return await _whole(document, request)


async def _lines(document: OpenedDocument, request: Request) -> Response:
    return LineStream(_framed(document, lambda event: f"{event.model_dump_json()}\n"))


async def _sse(document: OpenedDocument, request: Request) -> Response:
    return EventStream(_framed(document, lambda event: sse.encode(event.event, event)))  # type: ignore[attr-defined]


_ANSWERS: tuple[tuple[str, Callable[[OpenedDocument, Request], Awaitable[Response]]], ...] = (
    ("application/x-ndjson", _lines),
    ("text/event-stream", _sse),
)


async def _framed(document: OpenedDocument, frame: Callable[[BaseModel], str]) -> AsyncGenerator[str, None]:
    """Frame every event; a failure becomes the terminal event, because the status code is sent already."""
    events = document.events()
    try:
        async for event in events:
            yield frame(event)
    except Exception as error:
        if not isinstance(error, ServiceError):
            log.exception("stream failed", error=type(error).__name__)
        yield frame(ErrorEvent(problem=problem(error)))
    finally:
        await events.aclose()


async def _whole(document: OpenedDocument, request: Request) -> Response:
    """Collect all pages; stop if the client disconnects first."""
    collecting = asyncio.create_task(_collect(document))
    disconnecting = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({collecting, disconnecting}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            return Response(status_code=499)
        return JSONResponse(collecting.result().model_dump())
    finally:
        collecting.cancel()
        disconnecting.cancel()
        await asyncio.gather(collecting, disconnecting, return_exceptions=True)


async def _collect(document: OpenedDocument) -> ProcessedDocument:
    head, pages = document.head, list[PageEvent]()
    done: DoneEvent | None = None
    events = document.events()
    try:
        async for event in events:
            if isinstance(event, PageEvent):
                pages.append(event)
            elif isinstance(event, DoneEvent):
                done = event
            else:
                head = event
    finally:
        await events.aclose()
    assert done is not None
    return ProcessedDocument(document=head, pages=pages, done=done)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
