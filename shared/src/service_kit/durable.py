"""Long work that outlives the process: DBOS Transact workflows (https://docs.dbos.dev/python).

A job is a row of the service that owns it; a workflow with the same id runs it. Steps are idempotent, because the rows
record what is done: after a kill, the workflow continues with the first step that was not recorded. With PostgreSQL,
several processes share the work: a job runs in one of them, and when that one dies, another continues it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import make_url

from service_kit.database import DatabaseUnavailable, translated_errors
from service_kit.errors import StorageUnavailable
from service_kit.slots import Slot

if TYPE_CHECKING:
    from dbos import WorkflowStatus

log = structlog.get_logger(__name__)

Step = Callable[[str], Awaitable[None]]
"""One part of the job with the given id; it may be run again from its start."""

_APPLICATION_VERSION = "switchyard"
"""Fixed: steps are idempotent, so a newer release may finish what an older one began."""
_SWEEP_SECONDS = 5.0
"""How often a process checks whether another has died and left unfinished jobs."""
_MAX_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Task:
    """A named sequence of steps; `concurrency` bounds how many such jobs this process runs at once."""

    name: str
    steps: Sequence[Step]
    failed: Callable[[str, Exception], Awaitable[None]]
    """Called with the error that ended a job; not called for a cancelled job."""
    concurrency: int = 2


class JobFailed(Exception):
    """A failed job as DBOS records it: only the type of the error, because its text may quote a document."""


@dataclass(slots=True)
class Durable:
    """The workflow engine of one process; DBOS allows only one, so all services of the process share it."""

    database_url: str
    executor: str
    schema: str = "dbos"
    """Where DBOS keeps its tables: one per service, because processes that share the tables share the queues."""
    slot: Slot | None = None
    """This process's number among the replicas; None where there can be only one process."""
    _tasks: dict[str, Task] = field(default_factory=dict)
    _resume: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _workflows: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _sweeper: asyncio.Task[None] | None = None

    @classmethod
    def sqlite(cls, path: Path, executor: str = "local") -> Durable:
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{path}", executor)

    @classmethod
    def beside(cls, data_dir: Path, name: str, url: str | None) -> Durable:
        """Keep the jobs in PostgreSQL at `url`, shared with the other replicas, or in `name`-jobs.db in `data_dir`."""
        if url is None or make_url(url).get_backend_name() == "sqlite":
            return cls.sqlite(data_dir.resolve() / f"{name}-jobs.db", f"{name}-service")
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        return cls(plain, name, f"{name}_jobs", Slot(plain, name))

    def add(self, *tasks: Task, resume: Callable[[], Awaitable[None]]) -> None:
        """Register `tasks` before `launch`, which then calls `resume` to enqueue jobs that were stored but not enqueued."""
        self._tasks.update({task.name: task for task in tasks})
        self._resume.append(resume)

    async def launch(self) -> None:
        """Start the engine on the running loop, on which all steps will run; interrupted workflows continue."""
        self._loop = asyncio.get_running_loop()
        if self.slot is not None:
            self.executor = f"{self.executor}-{await self.slot.acquire()}"
        await asyncio.to_thread(self._launch)
        for resume in self._resume:
            await resume()
        if self.slot is not None:
            self._sweeper = asyncio.create_task(self._sweep(self.slot))

    def _launch(self) -> None:
        from dbos import DBOS

        DBOS(
            config={
                "name": "switchyard",
                "system_database_url": self.database_url,
                "application_version": _APPLICATION_VERSION,
                "executor_id": self.executor,
                "log_level": "CRITICAL",  # it logs a failed or cancelled job with a traceback; we log it in one line
                "notification_listener_polling_interval_sec": 0.2,
                "dbos_system_schema": self.schema,
            }
        )
        for task in self._tasks.values():
            self._workflows[task.name] = DBOS.workflow(name=task.name)(self._workflow(task))
        DBOS.launch()
        for task in self._tasks.values():
            DBOS.register_queue(task.name, worker_concurrency=task.concurrency, polling_interval_sec=0.1)

    def _workflow(self, task: Task) -> Callable[[str], Coroutine[Any, Any, None]]:
        from dbos import DBOS, StepOptions

        async def workflow(job: str) -> None:
            for step in task.steps:
                options = StepOptions(name=step.__name__, preemptible=True)
                await DBOS.run_step_async(options, self._on_own_loop, task, step, job)

        workflow.__qualname__ = workflow.__name__ = task.name
        return workflow

    async def _on_own_loop(self, task: Task, step: Step, job: str) -> None:
        # DBOS runs queued workflows on a loop of its own; our connections belong to the service's loop.
        assert self._loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_run(task, step, job), self._loop))

    async def start(self, job: str, *, task: str) -> None:
        """Enqueue `job` once: a second call with the same id changes nothing."""
        from dbos import DBOS, SetWorkflowID

        def enqueue() -> None:
            with translated_errors(), SetWorkflowID(job):
                DBOS.enqueue_workflow(task, self._workflows[task], job)

        # In a thread: DBOS's own coroutines would make its thread pool the loop's, and shut it down with itself.
        await asyncio.to_thread(enqueue)

    async def cancel(self, job: str) -> None:
        from dbos import DBOS

        await asyncio.to_thread(DBOS.cancel_workflow, job)

    async def aclose(self) -> None:
        """Stop; unfinished jobs continue at the next launch, or in another process."""
        from dbos import DBOS

        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        if self.slot is not None:
            await self.slot.release()

    async def _sweep(self, slot: Slot) -> None:
        """Put the unfinished jobs of dead processes back into their queue."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                if not await slot.renew():
                    continue
                for executor in {workflow.executor_id or "" for workflow in await asyncio.to_thread(_running)}:
                    async with slot.vacant(int(executor.rpartition("-")[2])) as vacant:
                        if vacant:
                            await asyncio.to_thread(_requeue, executor)
            except Exception as error:  # the next round may go better, and there must be one
                log.warning("sweep failed", error=type(error).__name__)


def _running(executor: str | None = None) -> list[WorkflowStatus]:
    from dbos import DBOS

    return DBOS.list_workflows(status="PENDING", executor_id=executor, load_input=False, load_output=False)


def _requeue(executor: str) -> None:
    from dbos import DBOS

    for workflow in _running(executor):
        log.warning("job taken over", job=workflow.workflow_id, of=executor)
        DBOS.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)


async def _run(task: Task, step: Step, job: str) -> None:
    try:
        await _retry_until_available(lambda: step(job))
    except Exception as error:
        cause = error
        log.warning("job failed", task=task.name, job=job, step=step.__name__, error=type(error).__name__)
        await _retry_until_available(lambda: task.failed(job, cause))
        raise JobFailed(type(error).__name__) from None


async def _retry_until_available(attempt: Callable[[], Awaitable[None]]) -> None:
    """Retry while the database is away, busy or cannot be written: without it, not even a failure could be recorded."""
    wait = 0.5
    while True:
        try:
            return await attempt()
        except (DatabaseUnavailable, StorageUnavailable) as error:
            log.warning("job waits for the database", error=type(error.__cause__).__name__, seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _MAX_WAIT_SECONDS)
