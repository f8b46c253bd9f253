"""Streams of lines, as bytes: the SDKs split text at every character that `str.splitlines` knows (U+2028, U+0085…),
and such a character in an answer would tear a line of JSON apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

_DRAIN_SECONDS = 0.5


async def lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines without their newline; a last one that has none was cut off, and is left out."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


async def data_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The payloads of server-sent `data:` lines (WHATWG HTML, 9.2), comments and other fields left out."""
    async for line in lines(chunks):
        if line.startswith(b"data:"):
            yield line[5:].strip()


async def drain(rest: AsyncIterator[Any]) -> None:
    """Read what follows the dialect's own end, so that the connection can be used again; how it ends is no matter."""
    with suppress(Exception):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in rest:
                pass
