"""Time limits of one exchange with an engine, within the request's deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from llm_providers.deadline import Deadline, Timeouts
from llm_providers.errors import DeadlineExceeded, ProviderError, StreamBroken, Timeout

T = TypeVar("T")
_SILENT_SECONDS = 0.25
"""How long a stream may be silent before its engine is asked whether it is alive."""
_ANSWER_SECONDS = 10.0
_PAUSES = (0.1, 0.2, 0.4, 1.0)
"""Seconds between two checks during one silence: an engine that was stopped may answer for a while before it is gone."""

_STALL_SECONDS = 1.0
"""A timer that is later than this says that the process stood still, which is not the engine's silence."""


class LivenessCheck:
    """Whether an engine is alive at all, asked at most once at a time for all of its silent streams.

    `ask` raises `Unavailable` where nothing listens or the engine says that it is dead; a late answer means that it is
    busy.
    """

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._running: asyncio.Task[ProviderError | None] | None = None

    def start(self) -> asyncio.Task[ProviderError | None]:
        """Return the check under way, begun now if there is none: its result is None, or what is wrong."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._check(), name="liveness")
        return self._running

    async def _check(self) -> ProviderError | None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._ask()
        except ProviderError as error:
            return error
        except TimeoutError:
            return Timeout(f"the engine has shown no sign of life for {_ANSWER_SECONDS:g} s")
        return None

    async def aclose(self) -> None:
        """Stop a check that is under way."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running


class Pace:
    """Watches the waits of one exchange: a timer for every token would cost more than the token.

    A wait ends with `Timeout` where it takes too long, with `DeadlineExceeded` where the request does, and with
    `StreamBroken` as soon as a liveness check fails, for a connection may stay open and silent. `stalled` says that this
    process stood still for a while: on a busy or paused machine, limits that run out are not the engine's fault.
    """

    def __init__(self, deadline: Deadline, timeouts: Timeouts, liveness: LivenessCheck) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + deadline.remaining
        self._limit, self._what, self._idle = timeouts.first_token, "the first token", timeouts.idle
        self._liveness = liveness
        self._since, self._progressed = self._loop.time(), False
        self._scope: asyncio.Timeout | None = None
        self._fault: ProviderError | None = None
        self._check: asyncio.Task[ProviderError | None] | None = None
        self._checks = 0
        self._pause: asyncio.TimerHandle | None = None
        self.stalled = False
        self._timer = self._loop.call_later(min(_SILENT_SECONDS, self._limit, deadline.remaining), self._look)

    async def wait(self, piece: Awaitable[T]) -> T:
        """Return the next piece of the exchange; the limit counts from the last progress, not from the last piece."""
        # A piece may have come in the very moment in which a limit ran out, and the wait before this one did not end.
        self._fault = None
        if self._progressed:
            self._since, self._progressed, self._checks = self._loop.time(), False, 0
        try:
            async with asyncio.timeout(None) as self._scope:
                return await piece
        except TimeoutError as error:
            if self._fault is None:
                raise
            raise self._fault from error
        finally:
            self._scope = None

    def progress(self) -> None:
        """Say that the engine has produced something: from now on the limit is that between two tokens."""
        self._limit, self._what, self._progressed = self._idle, "the next token", True

    def close(self) -> None:
        self._timer.cancel()
        if self._pause is not None:
            self._pause.cancel()
        if self._check is not None:
            self._check.remove_done_callback(self._checked)

    def _look(self) -> None:
        now = self._loop.time()
        if (late := now - self._timer.when()) > _STALL_SECONDS:
            self._since, self.stalled = self._since + late, True
        silent = now - self._since if self._scope is not None else 0.0
        if now >= self._ends:
            self._stop(DeadlineExceeded("the request's time budget is spent"))
        elif silent >= self._limit:
            self._stop(Timeout(f"{self._what} took longer than {self._limit:g} s"))
        elif silent >= _SILENT_SECONDS and self._check is None:
            self._check = self._liveness.start()
            self._check.add_done_callback(self._checked)
        wait = min(_SILENT_SECONDS, self._limit, self._since + self._limit - now, self._ends - now)
        self._timer = self._loop.call_later(max(wait, 0.005), self._look)

    def _checked(self, check: asyncio.Task[ProviderError | None]) -> None:
        if not check.cancelled() and (fault := check.result()) is not None:
            if not isinstance(fault, Timeout):
                self._stop(StreamBroken(f"the engine is gone: {fault}", backend=fault.backend))
            elif not self.stalled:
                self._stop(fault)
        self._pause = self._loop.call_later(_PAUSES[min(self._checks, len(_PAUSES) - 1)], self._look_again)
        self._checks += 1

    def _look_again(self) -> None:
        self._check = None
        self._timer.cancel()
        self._look()

    def _stop(self, fault: ProviderError) -> None:
        if self._scope is not None and self._fault is None:
            self._fault = fault
            self._scope.reschedule(self._loop.time())
