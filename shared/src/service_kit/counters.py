"""Counts of what callers do within a span of time, in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

_MOST_NAMES = 100_000


@dataclass(slots=True)
class Count:
    """What was counted under one name; `ends` is when it begins anew, by the clock of its `Counters`."""

    value: int
    ends: float


class Counters:
    """Fixed windows, each of which begins with the first event in it.

    Adding is constant in time whatever the number of names, and their number is bounded: strangers choose their addresses.
    The oldest window is forgotten first.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, most_names: int = _MOST_NAMES) -> None:
        self.clock = clock
        self._most_names = most_names
        self._counts: OrderedDict[str, Count] = OrderedDict()

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
                self._counts.popitem(last=False)
            count = self._counts[name] = Count(0, self.clock() + seconds)
        count.value += amount
        return count
