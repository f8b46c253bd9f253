"""Facts about a served model, asked for once in a while."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Remembers an answer for `seconds`: a server may come back with another model. Who asks together is told together."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._known: dict[str, tuple[float, T]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """Return what is known of `key`, by `load` where that is nothing or old; raises what `load` raises."""
        if (known := self._fresh(key)) is not None:
            return known
        async with self._asking[key]:
            # Whoever waited here may find it answered.
            if (known := self._fresh(key)) is None:
                known = await load()
                self._known[key] = (monotonic(), known)
        return known

    def _fresh(self, key: str) -> T | None:
        at, value = self._known.get(key, (0.0, None))
        return value if value is not None and monotonic() - at <= self._seconds else None
