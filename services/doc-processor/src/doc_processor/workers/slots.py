"""A bounded number of slots, shared fairly between those for whom work is done."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class FairSlots:
    """Gives slots to owners in turn, and to those who wait for one owner in the order in which they came.

    One slot more than `size` is for an owner who holds none, so that nobody waits for what others began. Used from one
    event loop.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def taken(self, owner: str) -> AsyncGenerator[None, None]:
        """Hold a slot for the duration of the block."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        self._admit()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._held -= Counter({owner: 1})
            self._admit()

    def _admit(self) -> None:
        while (owner := self._next()) is not None:
            queue = self._waiting.pop(owner)
            turn = queue.popleft()
            if queue:
                self._waiting[owner] = queue  # behind all others
            if not turn.done():
                self._held[owner] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        held = self._held.total()
        if held < self._size:
            return next(iter(self._waiting), None)
        if held == self._size:
            return next((owner for owner in self._waiting if not self._held[owner]), None)
        return None
