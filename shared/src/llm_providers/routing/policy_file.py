"""The policy document in a file that every service watches, with an audit of each change beside it."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_providers.faults import field_of, said
from llm_providers.files import SharedFile, Stamp
from llm_providers.routing.policy import Change, Policy

_WATCH_SECONDS = 0.2
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
OnChange = Callable[[Policy], Awaitable[None]]
log = logging.getLogger(__name__)


class PolicyError(Exception):
    """The file can't be used; the message names it."""


class StalePolicy(PolicyError):
    """Somebody else changed the document since it was read."""


class ManagedElsewhere(PolicyError):
    """The file is read-only here, as a Kubernetes ConfigMap is."""


class PolicyFile:
    """The document as it is now; with no `path` it lives in memory only.

    Writes are atomic, under a lock that all processes share, and carry the next revision. Each adds a row to
    `audit.jsonl`; a row that a crash prevented is added by the next writer.
    """

    def __init__(self, path: Path | None, first: Policy) -> None:
        self.path = path
        self.current = self._first = first
        self.fault: str | None = None
        """What is wrong with the file as it is now; `current` is then the last valid document."""
        self._file = SharedFile(path) if path else None
        self._watchers: list[OnChange] = []
        self._stamp: Stamp | None = None
        self._changing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        if self._file is not None:
            self._begin(self._file)

    @property
    def folder(self) -> Path | None:
        """The folder of the file and of those beside it; None if it lives in memory."""
        return self.path.parent if self.path else None

    def watch(self, on_change: OnChange) -> None:
        """Await `on_change` with each new document; what it raises becomes the `fault`."""
        self._watchers.append(on_change)

    def start(self) -> None:
        """Begin to watch the file; what others write is seen within a fraction of a second."""
        if self.path is not None and self._task is None:
            self._task = asyncio.create_task(self._poll(), name="policy-file")

    async def aclose(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def refresh(self) -> None:
        """Read the file again if it has changed; an invalid one leaves `current` as it is and sets `fault`."""
        if self._file is None:
            return
        try:
            stamp = await asyncio.to_thread(self._file.stamp)
            if stamp == self._stamp:
                return
            document = await asyncio.to_thread(self.read)
        except (OSError, PolicyError) as error:
            self.fault = str(error)
            return
        self._stamp, self.fault = stamp, None
        await self._become(document)

    def read(self) -> Policy:
        """Return the document as the file has it now, with the first value of roles that it leaves out.

        Blocks; raises `PolicyError` and OSError.
        """
        if self._file is None:
            return self.current
        try:
            document = Policy.model_validate_json(self._file.read())
        except ValidationError as error:
            faults = "; ".join(said(field_of(item), item) for item in error.errors()[:5])
            raise PolicyError(f"{self.path} is no policy: {faults}") from error
        return document.model_copy(update={"roles": {**self._first.roles, **document.roles}})

    def replace(self, expected: int, compute: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        """Write what `compute` returns for the document, if its revision is still `expected`, and return it; blocks.

        Raises `StalePolicy`, `ManagedElsewhere`, `PolicyError`, and what `compute` raises: then nothing was changed.
        """
        if self._file is None:
            return self._changed(self.current, expected, compute, by, why)
        try:
            with self._file.locked():
                before = self.read()
                self._audit_missing(before)
                after = self._changed(before, expected, compute, by, why)
                self._file.write(after.model_dump_json(indent=1) + "\n")
                self._append({**_row(after), "before": _content(before)})
        except OSError as error:
            if error.errno in _READ_ONLY:
                raise ManagedElsewhere(f"{self.path} can't be written here: change it where it comes from") from error
            raise
        return after

    async def adopt(self, policy: Policy) -> None:
        """Take a document that this process has just written, without waiting to see it in the file."""
        if policy.revision > self.current.revision:
            await self._become(policy)

    def audit(self, limit: int) -> list[dict[str, Any]]:
        """Return the last changes, newest first: revision, at, by, why, before and after."""
        if self.folder is None:
            return []
        try:
            lines = (self.folder / "audit.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        rows: list[dict[str, Any]] = []
        for line in reversed(lines):
            if len(rows) == limit:
                break
            with suppress(ValueError):  # empty, or cut off by a crash
                rows.append(json.loads(line))
        return rows

    async def _poll(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:  # a watcher's own fault must not end the watching: a corrected file must be seen
                self.fault = f"{type(error).__name__}: {error}"
                log.exception("the policy could not be applied")
            await asyncio.sleep(_WATCH_SECONDS)

    async def _become(self, policy: Policy) -> None:
        async with self._changing:
            if policy != self.current:
                self.current = policy
                for watcher in self._watchers:
                    await watcher(policy)

    @staticmethod
    def _changed(before: Policy, expected: int, compute: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        if before.revision != expected:
            raise StalePolicy(
                f"the policy is at revision {before.revision}, not {expected}: {before.changed.by} changed it "
                f"({before.changed.why}); read it again"
            )
        after = compute(before)
        return after.model_copy(update={"revision": before.revision + 1, "changed": Change.now(by, why)})

    def _begin(self, file: SharedFile) -> None:
        if file.stamp() is None:
            try:
                with file.locked():
                    if file.stamp() is None:
                        file.write(self._first.model_dump_json(indent=1) + "\n")
                        self._append({**_row(self._first), "before": None})
            except OSError as error:
                raise PolicyError(f"{file.path} can't be written: {error.strerror}") from error
        self.current, self._stamp = self.read(), file.stamp()

    def _audit_missing(self, now: Policy) -> None:
        last = next(iter(self.audit(1)), None)
        if last is None or last["revision"] < now.revision:
            self._append({**_row(now), "before": last["after"] if last else None})

    def _append(self, row: dict[str, Any]) -> None:
        assert self.folder is not None
        with (self.folder / "audit.jsonl").open("a") as file:
            # The newline comes first: a line that a crash cut off must not spoil this one too.
            file.write("\n" + json.dumps(row, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())


def _row(policy: Policy) -> dict[str, Any]:
    return {"revision": policy.revision, **policy.changed.model_dump(mode="json"), "after": _content(policy)}


def _content(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", include={"roles", "gates", "engines"})
