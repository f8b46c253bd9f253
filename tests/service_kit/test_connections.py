"""Slow and endless heads of requests, without a proxy in front."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from service_kit.connections import HEAD_BYTES, BoundedHead
from service_kit.server import server
from service_kit.settings import ServiceSettings

_Base: Any = BoundedHead


class Hasty(_Base):  # type: ignore[misc]
    head_seconds = 0.5


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    made = uvicorn.Server(
        uvicorn.Config(answer, port=0, http=Hasty, log_config=None, lifespan="off", timeout_keep_alive=1)
    )
    task = asyncio.create_task(made.serve())
    try:
        while not made.started:
            await asyncio.sleep(0.01)
        yield made.servers[0].sockets[0].getsockname()[1]
    finally:
        made.should_exit = True
        await task


async def closed_after(port: int, *pieces: bytes, every: float = 0.1) -> bytes:
    """Send pieces until the server closes; returns what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    sending, said = asyncio.create_task(send()), b""
    try:
        # Where something of ours was not read, the end is a reset.
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                while piece := await reader.read(4096):
                    said += piece
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return said


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def test_a_head_that_comes_byte_by_byte_ends_the_connection() -> None:
    async with listening() as port:
        assert await closed_after(port) == b""
        drops = [bytes([byte]) for byte in HEAD * 20]
        assert await closed_after(port, *drops) == b""
        # After an answer too, and where the body of an answered request never comes.
        second = await closed_after(port, HEAD + b"\r\n", *drops)
        assert second.startswith(b"HTTP/1.1 200")
        assert second.count(b"HTTP/1.1") == 1
        body = await closed_after(port, HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 500)
        assert body.startswith(b"HTTP/1.1 200")


async def test_a_head_without_an_end_ends_the_connection() -> None:
    async with listening() as port:
        endless = [HEAD, *[b"X-A: " + b"a" * 8000 + b"\r\n"] * (10 * HEAD_BYTES // 8000)]
        said = await closed_after(port, *endless, every=0)
        assert b"200" not in said


async def test_slow_bodies_and_later_requests_go_on() -> None:
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                await asyncio.sleep(0.1)
                writer.write(b"x")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()


def test_services_are_served_so(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        made = server(answer, ServiceSettings(data_dir=tmp_path), host="127.0.0.1", port=1)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert made.config.http is BoundedHead
    assert not made.config.proxy_headers
