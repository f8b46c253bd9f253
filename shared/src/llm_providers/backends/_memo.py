"""Facts about a served model, asked for once in a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Remembers an answer for `seconds`: a server may come back with another model."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._known: dict[str, tuple[float, T]] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        at, value = self._known.get(key, (0.0, None))
        if value is None or monotonic() - at > self._seconds:
            value = await load()
            self._known[key] = (monotonic(), value)
        return value
