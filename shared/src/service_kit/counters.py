"""Counts of what callers do within a span of time, in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import time

_MOST_NAMES = 100_000


@dataclass(slots=True)
class Count:
    """What was counted under one name; `ends` is when it begins anew, by the clock of its `Counters`.

    `unsent` of `value` was counted since `Counters.take`.
    """

    value: int
    ends: float
    unsent: int = 0


class Counters:
    """Fixed windows, each of which begins with the first event in it.

    Adding is constant in time whatever the number of names, and their number is bounded: strangers choose their addresses.
    The oldest window is forgotten first.
    """

    def __init__(self, clock: Callable[[], float] = time, most_names: int = _MOST_NAMES) -> None:
        self.clock = clock
        self._most_names = most_names
        self._counts: OrderedDict[str, Count] = OrderedDict()
        self._changed: dict[str, Count] = {}

    def get(self, name: str) -> Count | None:
        """Return the count under `name`; None if nothing was counted, or its window has ended."""
        count = self._counts.get(name)
        if count is not None and count.ends <= self.clock():
            del self._counts[name]
            return None
        return count

    def add(self, name: str, seconds: float, amount: int = 1) -> Count:
        """Add to the count under `name`, whose window of `seconds` begins now if it had none."""
        if (count := self.get(name)) is None:
            while len(self._counts) >= self._most_names:
                forgotten, _ = self._counts.popitem(last=False)
                self._changed.pop(forgotten, None)
            count = self._counts[name] = Count(0, self.clock() + seconds)
        count.value += amount
        count.unsent += amount
        self._changed[name] = count
        return count

    def take(self) -> dict[str, tuple[int, float]]:
        """Return what was counted under each name since the last time, and when its window ends."""
        taken = {name: (count.unsent, count.ends) for name, count in self._changed.items()}
        for count in self._changed.values():
            count.unsent = 0
        self._changed = {}
        return taken

    def put(self, name: str, value: int, ends: float) -> None:
        """Take over what all replicas together have counted under `name`; what was counted here since `take` comes on top."""
        if (count := self.get(name)) is not None:
            count.value, count.ends = value + count.unsent, ends
