"""Moments in which this machine ran nothing: a shared or virtual one may stand still for seconds."""

from __future__ import annotations

import threading
from time import monotonic, sleep
from typing import Self

_BEAT_SECONDS = 0.02
_LATE_SECONDS = 0.2


class Pauses:
    """Watches, while it is entered, by a thread that does nothing but sleep; times on the monotonic clock."""

    def __init__(self) -> None:
        self._pauses: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def longest(self) -> float:
        """Seconds."""
        return max((end - begin for begin, end in self._pauses), default=0.0)

    def within(self, begin: float, end: float) -> float:
        """Return how many of the seconds from `begin` to `end` the machine stood still."""
        return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in self._pauses)

    def __str__(self) -> str:
        return f" (the machine stood still for up to {self.longest:.1f} s, not counted)" if self._pauses else ""

    def _watch(self) -> None:
        last = monotonic()
        while not self._stop.is_set():
            sleep(_BEAT_SECONDS)
            now = monotonic()
            if now - last > _LATE_SECONDS:
                self._pauses.append((last + _BEAT_SECONDS, now))
            last = now
