"""Real servers on real sockets, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import uvicorn


class Served(str):
    """The URL of a running server, and the server itself."""

    server: uvicorn.Server

    def __new__(cls, url: str, server: uvicorn.Server) -> Self:
        served = super().__new__(cls, url)
        served.server = server
        return served


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Served]:
    """Serve an ASGI app on a free port; yields its URL, and stops it at the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=2)
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the app did not start")
            await asyncio.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", server)
    finally:
        server.should_exit = True
        await task
        listener.close()
