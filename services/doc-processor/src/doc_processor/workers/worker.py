"""One worker process, seen from the service."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

from doc_processor.workers import protocol
from doc_processor.workers.protocol import Message
from doc_processor.workers.stopwatch import Stopwatch

# A parser gets nothing else of the service's environment, which holds keys.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TESSDATA_PREFIX", "SYSTEMROOT")
_FIXED = {
    "OMP_THREAD_LIMIT": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # ONNX Runtime would leave a file among the uploads, and try to say that it runs.
    "ORT_DISABLE_TELEMETRY": "1",
    # What a page used goes back to the system: the C library would keep what was freed, up to the limit of the worker.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}
_STEP_SECONDS = 1.0
_MOST_PATIENCE = 20
"""Times the limit, by the wall's clock: what takes longer on any machine will never end."""


class WorkerFailed(Exception):
    """The worker crashed, hung or broke the protocol; it has been killed."""


class WorkerCrashed(WorkerFailed):
    """The process ended in the middle of a task."""


class WorkerTimedOut(WorkerFailed):
    """The task took longer than it may."""


class Worker:
    """A process and its pipes; after any failure it is killed together with its children."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.path = ""
        self.confined: frozenset[str] = frozenset()

    @classmethod
    async def start(cls, command: Sequence[str], setup: Message, scratch: str, seconds: float) -> Worker:
        """Raise `WorkerFailed` if it is not ready in time."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(os.environ, scratch),
            start_new_session=True,
        )
        worker = cls(process)
        ready = await worker.call(setup, seconds)
        worker.confined = frozenset(ready.get("ok", {}).get("confined", ()))
        return worker

    async def call(self, message: Message, seconds: float) -> Message:
        """Send a message and await the answer; a cancelled call kills the worker, which would otherwise continue the task."""
        try:
            return await self._awaited(message, seconds)
        except TimeoutError as error:
            await self.kill()
            raise WorkerTimedOut(f"no answer within {seconds:g} s") from error
        except (OSError, EOFError, protocol.BadMessage) as error:
            await self.kill()
            raise WorkerCrashed(f"exit status {self._process.returncode}") from error
        except BaseException:
            await asyncio.shield(self.kill())
            raise

    async def _awaited(self, message: Message, seconds: float) -> Message:
        """Raise `TimeoutError` when the processes have had their time: the task's, without waits for a processor."""
        step = min(_STEP_SECONDS, seconds / 4)
        watch = Stopwatch(self._process.pid, step)
        exchange = asyncio.create_task(self._exchange(message))
        try:
            async with asyncio.timeout(seconds * _MOST_PATIENCE):
                while not (await asyncio.wait({exchange}, timeout=step))[0]:
                    if watch.seconds() >= seconds:
                        raise TimeoutError
            return exchange.result()
        finally:
            if not exchange.done():
                exchange.cancel()
                await asyncio.gather(exchange, return_exceptions=True)

    async def _exchange(self, message: Message) -> Message:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(protocol.encode(message))
        await stdin.drain()
        length = protocol.body_length(await stdout.readexactly(protocol.HEADER_BYTES))
        return protocol.decode(await stdout.readexactly(length))

    async def kill(self) -> None:
        """Kill the whole process group (Tesseract and poppler are in it), and wait until it is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


def _environment(own: Mapping[str, str], scratch: str) -> dict[str, str]:
    return {name: own[name] for name in _PASSED_ON if name in own} | _FIXED | {"TMPDIR": scratch}
