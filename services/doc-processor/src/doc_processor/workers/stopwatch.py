"""The time that a task takes, without the time in which it could not run: a busy machine must not lose pages.

What Linux says in /proc/PID/schedstat is how long a process ran, and how long it waited for a processor
(https://docs.kernel.org/scheduler/sched-stats.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

_STILL = 3.0
"""Steps of the watch from which on the machine, or this process, stood still meanwhile."""


class Stopwatch:
    """Measures a session's processes in steps; `step` is how often it is asked, in seconds."""

    def __init__(
        self,
        session: int,
        step: float,
        clock: Callable[[], float] = monotonic,
        waits: Callable[[int], Mapping[int, float]] | None = None,
    ) -> None:
        self._session = session
        self._step = step
        self._clock = clock
        self._waits = waits or waiting
        self._last = clock()
        self._waited = dict(self._waits(session))
        self._seconds = 0.0

    def seconds(self) -> float:
        """Return the time since the start, without what the processes waited for a processor."""
        now, waited = self._clock(), dict(self._waits(self._session))
        passed = now - self._last
        delay = sum(max(0.0, wait - self._waited.get(process, 0.0)) for process, wait in waited.items())
        if passed > _STILL * self._step:
            passed = self._step
        self._seconds += max(0.0, passed - delay)
        self._last, self._waited = now, waited
        return self._seconds


def waiting(session: int) -> dict[int, float]:
    """Map the processes of a session to the seconds that each has waited for a processor; empty where it is not known."""
    found: dict[int, float] = {}
    processes = [session]
    for process in processes:
        folder = Path(f"/proc/{process}")
        try:
            found[process] = int((folder / "schedstat").read_text().split()[1]) / 1e9
            processes += map(int, (folder / "task" / str(process) / "children").read_text().split())
        except (OSError, ValueError, IndexError):
            continue
    return found
