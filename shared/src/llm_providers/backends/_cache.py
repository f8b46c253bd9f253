"""Facts about a served model, kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class TTLCache(Generic[T]):
    """One value that is loaded again after `seconds`, because a server may come back with another model.

    Concurrent callers share one load.
    """

    def __init__(self, load: Callable[..., Awaitable[T]], seconds: float = 60.0) -> None:
        self._load, self._seconds = load, seconds
        self._value: T | None = None
        self._loaded = 0.0
        self._loading = asyncio.Lock()

    async def get(self, *arguments: object) -> T:
        """Return the value, loaded with `arguments` if there is none or it is old; raises what the load raises."""
        if (value := self._fresh()) is not None:
            return value
        async with self._loading:
            # Another caller may have loaded it meanwhile.
            if (value := self._fresh()) is None:
                value = self._value = await self._load(*arguments)
                self._loaded = monotonic()
        return value

    def _fresh(self) -> T | None:
        return self._value if monotonic() - self._loaded <= self._seconds else None
