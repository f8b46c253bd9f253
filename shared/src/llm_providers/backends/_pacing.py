"""Time-outs of one exchange with an engine, within the request's deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from llm_providers.deadline import Deadline, Timeouts
from llm_providers.errors import DeadlineExceeded, ProviderError, StreamBroken, Timeout

T = TypeVar("T")
_SILENT_SECONDS = 0.25
"""How long a stream may say nothing before its engine is asked whether it is still there."""
_PATIENCE_SECONDS = 10.0
_BEAT_SECONDS = 1.0


class Pulse:
    """Whether an engine is there at all, asked at most once at a time for all of its silent streams.

    `beat` raises `Unavailable` where nothing listens or the engine says that it is dead; answering late is being busy.
    """

    def __init__(self, beat: Callable[[], Awaitable[None]]) -> None:
        self._beat = beat
        self._asking: asyncio.Task[ProviderError | None] | None = None

    def ask(self) -> asyncio.Task[ProviderError | None]:
        """Return the answer to come: None for a sign of life, else what is wrong."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="pulse")
        return self._asking

    async def _ask(self) -> ProviderError | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._beat()
        except ProviderError as error:
            return error
        except TimeoutError:
            return Timeout(f"the engine gives no sign of life for {_PATIENCE_SECONDS:g} s")
        return None

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking


async def paced(
    source: AsyncIterator[T], deadline: Deadline, timeouts: Timeouts, pulse: Pulse
) -> AsyncGenerator[T, None]:
    """Pass `source` on; raises `Timeout` where it pauses too long, `DeadlineExceeded` where the request does.

    An engine that is gone is not waited for: `StreamBroken` as soon as its pulse says so, for the connection may stay
    open and silent.
    """
    deadline.check()
    watch: _Watch[T] = _Watch(deadline, timeouts, pulse)
    try:
        while True:
            try:
                item = await watch.next(source)
            except StopAsyncIteration:
                return
            yield item
    finally:
        watch.close()


class _Watch(Generic[T]):
    """Looks at one stream from time to time: a timer for every token would cost more than the token."""

    def __init__(self, deadline: Deadline, timeouts: Timeouts, pulse: Pulse) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + deadline.remaining
        self._limit, self._what, self._idle = timeouts.first_token, "the first token", timeouts.idle
        self._pulse = pulse
        self._since = self._loop.time()
        self._scope: asyncio.Timeout | None = None
        self._fault: ProviderError | None = None
        self._asked: asyncio.Task[ProviderError | None] | None = None
        self._timer = self._loop.call_later(min(_SILENT_SECONDS, self._limit, deadline.remaining), self._look)

    async def next(self, source: AsyncIterator[T]) -> T:
        self._since = self._loop.time()
        try:
            async with asyncio.timeout(None) as self._scope:
                item = await anext(source)
        except TimeoutError as error:
            raise (self._fault or error) from error
        finally:
            self._scope = None
        self._limit, self._what = self._idle, "the next token"
        return item

    def close(self) -> None:
        self._timer.cancel()
        if self._asked is not None:
            self._asked.remove_done_callback(self._heard)

    def _look(self) -> None:
        now = self._loop.time()
        silent = now - self._since if self._scope is not None else 0.0
        if now >= self._ends:
            self._stop(DeadlineExceeded("the request's time budget is spent"))
        elif silent >= self._limit:
            self._stop(Timeout(f"{self._what} took longer than {self._limit:g} s"))
        elif silent >= _SILENT_SECONDS and self._asked is None:
            self._asked = self._pulse.ask()
            self._asked.add_done_callback(self._heard)
        # Nothing is missed by looking late: each wait is measured from its own beginning.
        wait = min(_SILENT_SECONDS, self._limit, self._since + self._limit - now, self._ends - now)
        self._timer = self._loop.call_later(max(wait, 0.005), self._look)

    def _heard(self, answer: asyncio.Task[ProviderError | None]) -> None:
        if not answer.cancelled() and (fault := answer.result()) is not None:
            if isinstance(fault, Timeout):
                self._stop(fault)
            else:
                self._stop(StreamBroken(f"the engine is gone: {fault}", backend=fault.backend))
        self._loop.call_later(_BEAT_SECONDS, self._may_ask)

    def _may_ask(self) -> None:
        self._asked = None

    def _stop(self, fault: ProviderError) -> None:
        if self._scope is not None and self._fault is None:
            self._fault = fault
            self._scope.reschedule(self._loop.time())
