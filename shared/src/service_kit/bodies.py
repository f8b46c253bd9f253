"""Request bodies: how large they may be, how deep, how many at a time, and how routes read those of more than one media type."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_providers.faults import field_of, said
from service_kit.auth import budget_of, principal_of
from service_kit.errors import InvalidInput, RequestTimeout, StorageUnavailable, TooLarge, TooManyRequests
from service_kit.middleware import route_path
from service_kit.storage_faults import storage_fails

JSON_BYTES = 1_000_000
"""Largest body of a route that takes neither texts nor files."""
MAX_DEPTH, MAX_VALUES = 64, 100_000
_READ_SECONDS = 60
_RETRY_SECONDS = 5
_SCANNED_IN_THREAD = 64 * 1024
_UNDER_WAY = "switchyard.body"
M = TypeVar("M", bound=BaseModel)

# Possessive, so that a string is passed over once, whether or not it ends.
_JSON_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[\[\]{},]', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")


def parse(model: type[M], body: bytes) -> M:
    """Read JSON as `model`; raises `InvalidInput` that names the first field at fault."""
    return _valid(lambda: model.model_validate_json(body))


def fields(model: type[M], values: Mapping[str, Any]) -> M:
    """Read fields of a form as `model`; raises as `parse` does."""
    return _valid(lambda: model.model_validate(values))


def _valid(read: Callable[[], M]) -> M:
    try:
        return read()
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = field_of(fault)
        raise InvalidInput(said(field, fault), field=field) from error


@asynccontextmanager
async def form(request: Request, **limits: Any) -> AsyncGenerator[FormData, None]:
    """Read a multipart form, whose files lie in the temporary folder during the block; raises `StorageUnavailable` if that is full."""
    try:
        parts = await request.form(**limits)
    except OSError as error:
        if not storage_fails(error):
            raise
        raise StorageUnavailable(
            "There is no room for this upload now: the temporary folder is full. Nothing of it was kept; send it again later.",
            retry_after=_RETRY_SECONDS,
        ) from error
    try:
        yield parts
    finally:
        await parts.close()
        if (under_way := request.scope.get(_UNDER_WAY)) is not None:
            under_way.release()


def check_json(body: bytes) -> None:
    """Raise `InvalidInput` for JSON that is too deep or has too many values; one pass in linear time, without parsing it.

    What passes is parsed in milliseconds. That matters, because the parsers hold the interpreter's lock: a thread would
    not keep a long parse from holding up every other request.
    """
    depth = values = 0
    for mark in _JSON_MARK.finditer(body):
        first = body[mark.start()]
        if first in _OPENING:
            depth += 1
            values += 1
        elif first in _CLOSING:
            depth -= 1
        elif first == 0x2C:
            values += 1
        if depth > MAX_DEPTH:
            raise InvalidInput(f"the JSON is nested more than {MAX_DEPTH} deep", field="body")
        if values > MAX_VALUES:
            raise InvalidInput(f"the JSON has more than {MAX_VALUES:,} values", field="body")


class BodyLimit:
    """ASGI middleware: bodies are bounded as their bytes arrive, by the kind of route, and per caller.

    A multipart body of a path in `uploads` may have `max_bytes`, and is handed on as it comes. Any other body is JSON:
    it may have the bytes that `texts` has for its path, or for one above it, else `JSON_BYTES`, and is read whole and
    checked before the app sees it. All bodies of one caller that are under way together may have `max_bytes`, so that one key
    fills neither memory nor the temporary folder. Raises `TooLarge`, `TooManyRequests`, `RequestTimeout`, `InvalidInput`.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, uploads: Collection[str], texts: Mapping[str, int]) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._uploads = uploads
        self._texts = {path: min(limit, max_bytes) for path, limit in texts.items()}
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        declared = headers.get("content-length", "0")
        if declared == "0" and "transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        caller, path = principal_of(scope), route_path(scope)
        if caller is None:
            raise TooLarge("pages that need no key take no request body")
        upload = path in self._uploads and headers.get("content-type", "").lower().startswith("multipart/")
        limit = self._max_bytes if upload else self._text_limit(path)
        charge = budget_of(scope).upload if upload else None
        body = _BodyUnderWay(receive, self._held, caller.id, limit, self._max_bytes, charge)
        scope[_UNDER_WAY] = body
        try:
            body.expect(int(declared) if declared.isdecimal() else 0)
            await self.app(scope, body.receive if upload else await _checked(body), send)
        finally:
            body.release()

    def _text_limit(self, path: str) -> int:
        return next(
            (limit for above, limit in self._texts.items() if path == above or path.startswith(f"{above}/")),
            min(JSON_BYTES, self._max_bytes),
        )


class _BodyUnderWay:
    """One body as it arrives: never more bytes than its limit, never more than its caller may have under way."""

    def __init__(
        self,
        receive: Receive,
        held: Counter[str],
        caller: str,
        limit: int,
        caller_limit: int,
        charge: Callable[[int], None] | None,
    ) -> None:
        self._receive, self._charge = receive, charge
        self._held, self._caller = held, caller
        self._limit, self._caller_limit = limit, caller_limit
        self._arrived = self._taken = 0
        self._complete = self._released = False

    def expect(self, size: int) -> None:
        """Take room for `size` bytes in all; raises `TooLarge` or `TooManyRequests`."""
        if size > self._limit:
            setting = " (MAX_UPLOAD_MB)" if self._limit == self._caller_limit else ""
            raise TooLarge(f"a request body may have at most {self._limit:,} bytes here{setting}")
        more = 0 if self._released else max(0, size - self._taken)
        if self._held[self._caller] + more > self._caller_limit:
            raise TooManyRequests(
                "other requests of this key are still being received, and together they are too large",
                retry_after=_RETRY_SECONDS,
            )
        if self._charge is not None and more:
            self._charge(more)
        self._held[self._caller] += more
        self._taken += more

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(_READ_SECONDS):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimeout(f"nothing of the request body arrived for {_READ_SECONDS} s") from error
        self._complete = not message.get("more_body", False)
        self._arrived += len(message.get("body", b""))
        self.expect(self._arrived)
        return message

    def release(self) -> None:
        """Give the room back; what was received is not kept any more."""
        self._held[self._caller] -= self._taken
        if not self._held[self._caller]:
            del self._held[self._caller]
        self._taken, self._released = 0, True


async def _checked(body: _BodyUnderWay) -> Receive:
    """Read and check a body; returns what hands it on whole, and then whatever comes after it."""
    parts, more = list[bytes](), True
    while more:
        message = await body.receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    whole = b"".join(parts)
    if len(whole) > _SCANNED_IN_THREAD:
        await asyncio.to_thread(check_json, whole)
    else:
        check_json(whole)
    waiting: list[Message] = [{"type": "http.request", "body": whole, "more_body": False}]
    if message["type"] != "http.request":
        waiting = [message]

    async def receive() -> Message:
        return waiting.pop() if waiting else await body.receive()

    return receive
