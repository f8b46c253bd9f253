"""How many chunks the model reads at once: many while its first tokens come soon, few while they don't.

An engine that is asked by people too answers everybody later. As in TCP Vegas (Brakmo and Peterson, 1995), the delay is the
signal: above a multiple of the shortest one seen, the number is halved; below it grows by one per round.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_SLOWER, _SLACK_SECONDS = 3.0, 0.5
"""A first token that takes so many times the shortest, and so many seconds more, says that others wait."""
_FORGET = 1.02
"""By what the shortest delay grows with each chunk, so that one lucky one is no measure for ever."""


class Pace:
    """A limit on what is under way, between 1 and `most`; begins at `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._running = 0
        self._shortest = float("inf")
        self._changed = asyncio.Event()

    @property
    def limit(self) -> int:
        return int(self._limit)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait until there is room for one more, and hold it for the duration of the block."""
        while self._running >= self.limit:
            self._changed.clear()
            await self._changed.wait()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._changed.set()

    def waited(self, seconds: float) -> None:
        """Learn how long a first token took."""
        self._shortest = min(self._shortest * _FORGET, seconds)
        if seconds > _SLOWER * self._shortest + _SLACK_SECONDS:
            self.refused()
        else:
            self._limit = min(self._most, self._limit + 1 / self._limit)
            self._changed.set()

    def refused(self) -> None:
        """Learn that the engine has no room."""
        self._limit = max(1.0, self._limit / 2)
