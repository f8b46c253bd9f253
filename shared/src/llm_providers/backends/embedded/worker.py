"""One thread that does the most urgent work first; long work lets what is more urgent go in between."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from itertools import count
from threading import Condition, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Urgency(IntEnum):
    """What waits for the work, the most urgent first."""

    SEARCH = 0
    ANSWER = 1
    INGESTION = 2


class UrgencyWorker:
    """Runs submitted work in one thread, which starts with the first of it: by urgency, then in the order it came."""

    def __init__(self, name: str) -> None:
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._waiting: list[tuple[Urgency, int, Future[Any], Callable[[], Any]]] = []
        self._changed = Condition()
        self._number = count()
        self._open = True

    def submit(self, urgency: Urgency, work: Callable[[], T]) -> Future[T]:
        """Return the future of `work`'s result; cancelled at once where the worker is closed."""
        future: Future[T] = Future()
        with self._changed:
            if not self._open:
                future.cancel()
                return future
            if self._thread.ident is None:
                self._thread.start()
            heapq.heappush(self._waiting, (urgency, next(self._number), future, work))
            self._changed.notify()
        return future

    def give_way(self, urgency: Urgency) -> None:
        """Do what waits and is more urgent than `urgency`; to be called by work, in the worker's own thread."""
        while True:
            with self._changed:
                if not self._waiting or self._waiting[0][0] >= urgency:
                    return
                item = heapq.heappop(self._waiting)
            _do(*item[2:])

    def close(self) -> None:
        """Cancel what waits, and end the thread after the work at hand; may be called twice."""
        with self._changed:
            self._open = False
            dropped, self._waiting = self._waiting, []
            self._changed.notify()
        for _, _, future, _ in dropped:
            future.cancel()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._open and not self._waiting:
                    self._changed.wait()
                if not self._open:
                    return
                item = heapq.heappop(self._waiting)
            _do(*item[2:])
            del item


def _do(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
