"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
from pydantic import BaseModel
from starlette.responses import StreamingResponse

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def encode(event: str, data: BaseModel | dict[str, Any]) -> str:
    """Frame one event; JSON has no raw line breaks, so one `data:` line is enough."""
    text = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data, ensure_ascii=False)
    return f"event: {event}\ndata: {text}\n\n"


class EventStream(StreamingResponse):
    """A response that streams encoded events; the generator is closed when the client disconnects."""

    media_type = "text/event-stream"

    def __init__(
        self, frames: AsyncGenerator[str, None], headers: dict[str, str] | None = None, status_code: int = 200
    ) -> None:
        super().__init__(_closing(frames), status_code, {**HEADERS, **(headers or {})})


async def _closing(frames: AsyncGenerator[str, None]) -> AsyncIterator[str]:
    try:
        async for frame in frames:
            yield frame
    finally:
        with anyio.CancelScope(shield=True):
            await frames.aclose()
