"""The HTTP client of an engine: JSON calls and streams of lines, under a request's deadline.

The SDKs' own streaming costs more than everything else on the way (a pydantic object per token), so requests are made
with aiohttp and chunks are read as plain JSON. Lines are split as bytes: text methods also split at U+2028, U+0085 and
others, which would tear a line of JSON apart.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from llm_providers.backends._errors import inside_stream, rejection, translated
from llm_providers.backends._pacing import LivenessCheck, Pace
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.engines.addresses import InvalidAddress, is_private, normalise
from llm_providers.errors import Unavailable

_LONGEST_LINE = 2**22
_DRAIN_SECONDS = 0.5
_TURN = 16
"""Lines after which other tasks get a turn: those that are in the buffer already come without a pause."""


class EngineClient:
    """Connections to one server; `name` is the engine's, for error messages."""

    def __init__(self, name: str, address: str, api_key: str, timeouts: Timeouts, keepalive_seconds: float) -> None:
        self.name, self.address = name, normalise(address)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeouts, self._keepalive = timeouts, keepalive_seconds
        self._keeps_after_stream = False
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, path: str, deadline: Deadline) -> Any:
        """Return the JSON at `path`; raises a `ProviderError`."""
        return await self._call("GET", path, None, deadline, self._timeouts.idle)

    async def post(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> Any:
        """Return the JSON that answers `body`; raises a `ProviderError`."""
        return await self._call("POST", path, body, deadline, self._timeouts.first_token)

    async def status(self, path: str) -> int:
        """Return the status of a page, with no time limit of its own; raises `Unavailable` where nothing listens."""
        with translated(self.name):
            async with self._request("GET", path, None) as response:
                return response.status

    @asynccontextmanager
    async def lines(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, liveness: LivenessCheck
    ) -> AsyncGenerator[Lines, None]:
        """Open a stream of lines that answers `body`; raises a `ProviderError`, inside the block too."""
        deadline.check()
        pace = Pace(deadline, self._timeouts, liveness)
        try:
            with translated(self.name):
                headers = {} if self._keeps_after_stream else {"Connection": "close"}
                response = await self._stream(pace, path, body, headers)
            async with response:
                # llama.cpp says that it keeps the connection, and closes it at the end of every stream.
                self._keeps_after_stream = response.headers.get("Server") != "llama.cpp"
                with translated(self.name):
                    if response.status >= 300:
                        raise rejection(response.status, await response.read(), response.headers, self.name)
                with inside_stream(self.name):
                    yield Lines(response.content, pace)
        finally:
            pace.close()

    async def aclose(self) -> None:
        """Close the connections; what is asked for afterwards raises `Unavailable`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _stream(
        self, pace: Pace, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        try:
            return await pace.wait(self._request("POST", path, body, headers).__aenter__())
        except aiohttp.ConnectionTimeoutError:
            if not pace.stalled:
                raise
        return await pace.wait(self._request("POST", path, body, headers).__aenter__())

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None, deadline: Deadline, seconds: float
    ) -> Any:
        async with deadline.limit(seconds, path):
            with translated(self.name):
                async with self._request(method, path, body) as response:
                    content = await response.read()
                    if response.status >= 300:
                        raise rejection(response.status, content, response.headers, self.name)
                    return json.loads(content)

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> aiohttp.client._RequestContextManager:
        if self._closed:
            raise Unavailable("the connections to this engine are closed", backend=self.name)
        if self._session is None:
            # Made on first use: it belongs to the event loop that runs then.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=1000, keepalive_timeout=self._keepalive, ssl=_trust(), resolver=_Resolver()
                ),
                headers=self._headers,
                # Reads have no limit of their own: every exchange is paced under the request's deadline.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
                read_bufsize=_LONGEST_LINE,
                # What is near is never reached through the environment's proxy.
                trust_env=not is_private(self.address),
            )
        return self._session.request(method, self.address + path, json=body, headers=headers, allow_redirects=False)


class Lines:
    """The lines of an answer, as they come."""

    def __init__(self, content: aiohttp.StreamReader, pace: Pace) -> None:
        self._content, self._pace = content, pace
        self._count = 0

    async def next(self) -> bytes | None:
        """Return the next line without its end, None after the last; a line that was cut off counts as none.

        Raises `Timeout` where the answer pauses too long, `StreamBroken` where its engine is gone.
        """
        self._count += 1
        if self._count % _TURN == 0:
            # Where engines are faster than this process, one stream would keep all others, and timers, waiting for seconds.
            await asyncio.sleep(0)
        line = await self._pace.wait(self._content.readline())
        return line.rstrip(b"\r\n") if line.endswith(b"\n") else None

    def progress(self) -> None:
        """Say that the engine has produced something: a line may also be a comment or empty."""
        self._pace.progress()

    async def drain(self) -> None:
        """Read what follows the protocol's own end, so that the connection can be used again."""
        with suppress(Exception):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._content.read()


class _Resolver(AbstractResolver):
    """Resolves names, except to link-local addresses: a name may lead elsewhere than when it was checked."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for result in found:
            address = result["host"]
            try:
                normalise(f"http://[{address}]" if ":" in address else f"http://{address}")
            except InvalidAddress as error:
                raise OSError(f"{host} leads to {address}: {error}") from error
        return found

    async def close(self) -> None:
        await self._inner.close()


@cache
def _trust() -> ssl.SSLContext:
    """Return one context of the system's store, or of SSL_CERT_FILE, for every client: reading it takes 20 ms."""
    return ssl.create_default_context()
