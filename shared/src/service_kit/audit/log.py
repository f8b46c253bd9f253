"""The log as a service writes it: from any task, by one thread, many entries at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeAlias
from uuid import uuid4

import structlog

from service_kit.audit.chain import Chain, Retention
from service_kit.audit.entries import INTENT, LOST, OUTCOME, Fields, now
from service_kit.audit.refusals import RefusalCounts
from service_kit.context import request_id
from service_kit.errors import ServiceError, StorageUnavailable

log = structlog.get_logger(__name__)
_SYNC_SECONDS = 1.0
_MOST_AT_A_TIME = 500
_RETRY_SECONDS = 5
FOLDER = "audit"

Making: TypeAlias = Callable[[], Fields]
caller: ContextVar[Fields | None] = ContextVar("audit_caller", default=None)
"""Whose request this task serves."""


@dataclass(frozen=True, slots=True)
class _Item:
    make: Making
    durable: bool
    written: Future[None] | None


class AuditLog:
    """The log of one service in this process.

    `add` returns at once. `write` waits until the entry is on the disk, and raises `StorageUnavailable` where it can't be.
    """

    def __init__(self, folder: Path, service: str, retention: Retention) -> None:
        self._folder, self._service, self._retention = folder, service, retention
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._refusals = RefusalCounts()
        self._thread: Thread | None = None
        self._lost = 0

    def start(self) -> None:
        """Begin to write; what was added before is written now."""
        self._thread = Thread(target=self._run, name=f"audit-{self._service}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left; blocks."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def add(self, make: Making | Fields) -> None:
        self._queue.put(_Item(_maker(make), durable=False, written=None))

    def begin(self, make: Making | Fields, *, durable: bool) -> Future[None]:
        """Add an entry; the future is done when it is written, or on the disk with `durable`."""
        written: Future[None] = Future()
        self._queue.put(_Item(_maker(make), durable, written))
        return written

    async def write(self, fields: Fields) -> None:
        # A caller who goes away must not take the entry along.
        await asyncio.shield(asyncio.wrap_future(self.begin(fields, durable=True)))

    def note(self, act: str, **about: object) -> None:
        """Add something that happened in the request of this task, or in work of the service's own."""
        self.add(
            {"time": now(), "act": act, "who": caller.get() or {"key": "service"}, "request_id": request_id(), **about}
        )

    def refuse(self, fields: Fields) -> None:
        """Add a refusal; many of the same kind in a minute become one entry with their number."""
        if self._refusals.is_first(fields):
            self.add(fields)

    def _run(self) -> None:
        chain: Chain | None = None
        retry_at, unsynced = 0.0, False
        while True:
            items, ends = self._taken(_SYNC_SECONDS)
            items += [_Item(_maker(fields), False, None) for fields in self._refusals.over(everything=ends)]
            try:
                if chain is None:
                    if monotonic() < retry_at and not ends:
                        raise OSError("the audit log could not be opened")
                    chain = Chain.acquire(self._folder, self._service, self._retention)
                if items:
                    durable = any(item.durable for item in items)
                    chain.append([*self._losses(), *_made(items)], durable=durable)
                    self._lost, unsynced = 0, not durable
                elif unsynced:
                    chain.sync()
                    unsynced = False
            except Exception as error:  # whatever an entry is made of, the thread goes on, and its requests end
                self._fail(items, error)
                if chain is None and monotonic() >= retry_at:
                    retry_at = monotonic() + _RETRY_SECONDS
            else:
                for item in items:
                    if item.written is not None:
                        item.written.set_result(None)
            if ends:
                break
        if chain is not None:
            chain.close()

    def _taken(self, seconds: float) -> tuple[list[_Item], bool]:
        """Return what waits to be written, and whether this is the end."""
        items: list[_Item] = []
        try:
            item = self._queue.get(timeout=seconds)
            while True:
                if item is None:
                    return items, True
                items.append(item)
                if len(items) >= _MOST_AT_A_TIME:
                    return items, False
                item = self._queue.get_nowait()
        except Empty:
            return items, False

    def _losses(self) -> list[Fields]:
        return [{"time": now(), "act": LOST, "who": {"key": "audit"}, "count": self._lost}] if self._lost else []

    def _fail(self, items: list[_Item], error: Exception) -> None:
        if not items:
            return
        log.error("the audit log cannot be written", folder=str(self._folder), error=str(error), entries=len(items))
        self._lost += len(items)
        for item in items:
            if item.written is not None:
                item.written.set_exception(
                    StorageUnavailable(
                        "What is done here is recorded first, and the audit log cannot be written: nothing was done.",
                        retry_after=_RETRY_SECONDS,
                    )
                )


def _maker(make: Making | Fields) -> Making:
    return make if callable(make) else lambda: make


def _made(items: list[_Item]) -> list[Fields]:
    return [item.make() for item in items]


@contextmanager
def recorded(folder: Path, service: str, retention: Retention, fields: Fields) -> Generator[None, None, None]:
    """Record an act of a program that is no service: before the block, and how it ended after it. Blocks; raises OSError."""
    identity = uuid4().hex
    chain = Chain.acquire(folder, service, retention, wait=True)
    try:
        chain.append([{"time": now(), **fields, "phase": INTENT, "id": identity}], durable=True)
        outcome: Fields = {"outcome": "done"}
        try:
            yield
        except BaseException as error:
            outcome = {
                "outcome": "failed",
                "problem": error.type if isinstance(error, ServiceError) else type(error).__name__,
            }
            raise
        finally:
            chain.append([{"time": now(), **fields, "phase": OUTCOME, "id": identity, **outcome}], durable=True)
    finally:
        chain.close()
