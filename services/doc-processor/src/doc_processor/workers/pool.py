"""A bounded number of worker processes, started when needed and stopped when idle."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from doc_processor.errors import WorkersUnavailable
from doc_processor.parsers.base import ParseLimits
from doc_processor.workers.protocol import Message
from doc_processor.workers.slots import FairSlots
from doc_processor.workers.worker import Worker, WorkerFailed

log = structlog.get_logger(__name__)
COMMAND = (sys.executable, "-P", "-m", "doc_processor.workers.child")

_CLOSE_SECONDS = 5.0
_CONFINEMENT = frozenset({"files", "network"})


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Times are in seconds; `tasks_per_worker` bounds how much memory a leak in a parser can take."""

    size: int
    scratch: Path
    limits: ParseLimits = field(default_factory=ParseLimits)
    memory_bytes: int = 1 << 30
    task_seconds: float = 50.0
    start_seconds: float = 30.0
    idle_seconds: float = 60.0
    tasks_per_worker: int = 2000
    command: Sequence[str] = COMMAND


class WorkerPool:
    """Runs tasks, those of each owner in turn; used from one event loop."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._slots = FairSlots(settings.size)
        self._aside = FairSlots(1)
        self._idle: list[Worker] = []
        self._timers: dict[Worker, asyncio.TimerHandle] = {}
        self._tasks_done: dict[Worker, int] = {}
        self._said = False
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def size(self) -> int:
        return self._settings.size

    @property
    def idle(self) -> int:
        return len(self._idle)

    async def run(self, task: Message, owner: str = "", *, aside: bool = False) -> Message:
        """Return the worker's answer to a task that is done for `owner`; raises `WorkerFailed`, or `WorkersUnavailable` if none can be started.

        What somebody looks at is done `aside`, and does not wait behind pages that are being read.
        """
        async with (self._aside if aside else self._slots).taken(owner):
            worker = self._reuse(task["path"]) or await self._start()
            try:
                reply = await worker.call(task, self._settings.task_seconds)
            except BaseException:
                self._tasks_done.pop(worker, None)
                raise
            worker.path = task["path"]
            self._put_back(worker, recycle=bool(reply.pop("recycle", False)))
            return reply

    async def forget(self, path: str) -> None:
        """Make idle workers close a document that is about to be deleted."""
        holding = [worker for worker in self._idle if worker.path == path]
        for worker in holding:
            self._idle.remove(worker)
            self._timers.pop(worker).cancel()
        for worker in holding:
            try:
                await worker.call({"task": "close", "path": path}, _CLOSE_SECONDS)
            except WorkerFailed:
                self._tasks_done.pop(worker)
            else:
                worker.path = ""
                self._put_back(worker, recycle=False)

    async def aclose(self) -> None:
        """Stop every idle worker; running tasks must have been cancelled."""
        for worker in list(self._idle):
            self._retire(worker)
        await asyncio.gather(*self._stopping)

    def _reuse(self, path: str) -> Worker | None:
        """Take the worker that has the document open, else the one used last."""
        if not self._idle:
            return None
        worker = next((worker for worker in self._idle if worker.path == path), self._idle[-1])
        self._idle.remove(worker)
        self._timers.pop(worker).cancel()
        return worker

    async def _start(self) -> Worker:
        settings = self._settings
        scratch = os.fspath(settings.scratch)
        setup = {"memory_bytes": settings.memory_bytes, "limits": asdict(settings.limits), "scratch": scratch}
        try:
            worker = await Worker.start(settings.command, setup, scratch, settings.start_seconds)
        except (OSError, WorkerFailed) as error:
            raise WorkersUnavailable("a worker process could not be started", retry_after=5) from error
        self._tasks_done[worker] = 0
        self._say_once(worker.confined)
        return worker

    def _say_once(self, confined: frozenset[str]) -> None:
        if not self._said and (missing := _CONFINEMENT - confined):
            log.warning(
                "this kernel cannot confine workers fully: a parser that a document takes over may reach these",
                missing=sorted(missing),
            )
        self._said = True

    def _put_back(self, worker: Worker, *, recycle: bool) -> None:
        self._tasks_done[worker] += 1
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        self._timers[worker] = loop.call_later(self._settings.idle_seconds, self._retire, worker)
        if recycle or self._tasks_done[worker] >= self._settings.tasks_per_worker:
            self._retire(worker)

    def _retire(self, worker: Worker) -> None:
        self._idle.remove(worker)
        self._timers.pop(worker).cancel()
        self._tasks_done.pop(worker)
        stopping = asyncio.get_running_loop().create_task(worker.kill())
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
