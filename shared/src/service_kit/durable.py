"""Long work that outlives the process: DBOS Transact workflows (https://docs.dbos.dev/python).

A job is a row of the service that owns it; a workflow of the same id drives it. Steps are idempotent, because the
rows say what is done: after a kill, the workflow goes on with the step that had not been recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Step = Callable[[str], Awaitable[None]]
"""Does one part of the job whose id it gets; may be run again from its start."""

_APPLICATION_VERSION = "switchyard"
"""Fixed: steps are idempotent, so a newer release may finish what an older one began."""


@dataclass(frozen=True, slots=True)
class Task:
    """A named sequence of steps; `concurrency` bounds how many such jobs this process runs at once."""

    name: str
    steps: Sequence[Step]
    failed: Callable[[str, Exception], Awaitable[None]]
    """Told of the error that ended a job; a cancelled job is not told."""
    concurrency: int = 2


class JobFailed(Exception):
    """What DBOS records of a failed job: the error's type only, for its text may quote a document."""


@dataclass(slots=True)
class Durable:
    """The workflow engine of one process: DBOS allows one, which all services in the process share."""

    database_url: str
    executor: str
    _tasks: dict[str, Task] = field(default_factory=dict)
    _resume: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _workflows: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def sqlite(cls, path: Path, executor: str = "local") -> Durable:
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(f"sqlite:///{path}", executor)

    def add(self, *tasks: Task, resume: Callable[[], Awaitable[None]]) -> None:
        """Register `tasks`, before `launch`; `resume` is called after it, to start what a stop had left unqueued."""
        self._tasks.update({task.name: task for task in tasks})
        self._resume.append(resume)

    async def launch(self) -> None:
        """Start the engine on the running loop, where all steps will run; interrupted workflows go on."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._launch)
        for resume in self._resume:
            await resume()

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

    async def start(self, task: str, job: str) -> None:
        """Enqueue `job` once: a second call with the same id changes nothing."""
        from dbos import DBOS, SetWorkflowID

        def enqueue() -> None:
            with SetWorkflowID(job):
                DBOS.enqueue_workflow(task, self._workflows[task], job)

        # In a thread: DBOS's own coroutines would make its thread pool the loop's, and shut it down with itself.
        await asyncio.to_thread(enqueue)

    async def cancel(self, job: str) -> None:
        from dbos import DBOS

        await asyncio.to_thread(DBOS.cancel_workflow, job)

    async def aclose(self) -> None:
        """Stop; what is unfinished goes on at the next launch."""
        from dbos import DBOS

        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)


async def _run(task: Task, step: Step, job: str) -> None:
    try:
        await step(job)
    except Exception as error:
        log.warning("job failed", task=task.name, job=job, step=step.__name__, error=type(error).__name__)
        await task.failed(job, error)
        raise JobFailed(type(error).__name__) from None
