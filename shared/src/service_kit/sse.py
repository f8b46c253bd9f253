"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from time import monotonic
from typing import Any

import anyio
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_LINE_END = re.compile(rb"\r\n|\n|\r")
STILL_ALLOWED = "switchyard.still_allowed"
"""Of an ASGI scope: a function that says whether the caller's key is still what it was when the request came."""
_RECHECK_SECONDS = 2
_REVOKED = {"status": 401, "title": "Unauthorized", "detail": "this API key was revoked or changed in the meantime"}
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def encode(event: str, data: BaseModel | dict[str, Any]) -> str:
    """Frame one event; JSON has no raw line breaks, so one `data:` line is enough."""
    text = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data, ensure_ascii=False)
    return f"event: {event}\ndata: {text}\n\n"


class EventReader:
    """Reads an event stream from chunks of bytes, as section 9.2.6 of the standard says; `id` and `retry` are ignored.

    For any HTTP client: httpx-sse reads responses of httpx only, and keeps its decoder to itself.
    """

    def __init__(self) -> None:
        self._line, self._after_cr, self._at_start = b"", False, True
        self._event, self._data = "", list[str]()

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Yield (event, data) of the events that end in `chunk`; an event without a name is a `message`."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr |= chunk.endswith(b"\r")
        *lines, self._line = _LINE_END.split(self._line + chunk)
        for line in lines:
            if self._at_start:
                line, self._at_start = line.removeprefix(b"\xef\xbb\xbf"), False
            if line:
                self._field(line.decode(errors="replace"))
                continue
            if self._data:
                yield self._event or "message", "\n".join(self._data)
            self._event, self._data = "", []

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)


class EventStream(StreamingResponse):
    """A response that streams encoded events; the generator is closed when the client disconnects.

    It ends with an `error` event where the caller's key is revoked, or changed, in the meantime.
    """

    media_type = "text/event-stream"

    def __init__(
        self, frames: AsyncGenerator[str, None], headers: dict[str, str] | None = None, status_code: int = 200
    ) -> None:
        self._is_allowed: Callable[[], bool] = lambda: True
        super().__init__(self._closing(frames), status_code, {**HEADERS, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._is_allowed = scope.get(STILL_ALLOWED, self._is_allowed)
        await super().__call__(scope, receive, send)

    async def _closing(self, frames: AsyncGenerator[str, None]) -> AsyncIterator[str]:
        checked = monotonic()
        try:
            async for frame in frames:
                if monotonic() - checked >= _RECHECK_SECONDS:
                    checked = monotonic()
                    if not self._is_allowed():
                        yield encode("error", _REVOKED)
                        return
                yield frame
        finally:
            with anyio.CancelScope(shield=True):
                await frames.aclose()
