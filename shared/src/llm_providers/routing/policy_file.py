"""The policy document in a file that every service watches, with an audit of each change beside it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_providers.routing.policy import Change, Policy

_WATCH_SECONDS = 0.2
OnChange = Callable[[Policy], None]


class PolicyError(Exception):
    """The file can't be used; the message names it."""


class StalePolicy(PolicyError):
    """Somebody else changed the document since it was read."""


class ManagedElsewhere(PolicyError):
    """The file is read-only here, as a Kubernetes ConfigMap is."""


class PolicyFile:
    """The document now; with no `path` it lives in memory only.

    Writes are atomic (a new file renamed over the old) under a lock that all processes share, and carry the next
    revision. Each adds a row to `audit.jsonl`: one that a crash kept from being written is made up for by the next writer.
    """

    def __init__(self, path: Path | None, first: Policy) -> None:
        self.path = path
        self.current = self._first = first
        self.fault: str | None = None
        """What is wrong with the file as it is now; `current` is then the last one that was right."""
        self._watchers: list[OnChange] = []
        self._stamp: tuple[int, int, int] | None = None
        self._task: asyncio.Task[None] | None = None
        if path is not None:
            self._begin(path)

    @property
    def folder(self) -> Path | None:
        """Where the files beside it lie; None if it lives in memory."""
        return self.path.parent if self.path else None

    def watch(self, on_change: OnChange) -> None:
        """Call `on_change` with each new document, on the event loop once `start` was called."""
        self._watchers.append(on_change)

    def start(self) -> None:
        """Begin to look at the file; what others write is seen within a fraction of a second."""
        if self.path is not None and self._task is None:
            self._task = asyncio.create_task(self._poll(), name="policy-file")

    async def aclose(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def refresh(self) -> None:
        """Read the file again if it has changed; a wrong one leaves `current` as it is and says why in `fault`."""
        if self.path is None:
            return
        try:
            # Never inotify: volumes that are shared by network do not tell.
            stamp = _stamp(self.path)
            if stamp == self._stamp:
                return
            found = self.read()
        except (OSError, PolicyError) as error:
            self.fault = str(error)
            return
        self._stamp, self.fault = stamp, None
        self._become(found)

    def read(self) -> Policy:
        """The document as the file has it now, roles that it leaves out as they were first; raises `PolicyError`."""
        if self.path is None:
            return self.current
        found = _read(self.path)
        return found.model_copy(update={"roles": {**self._first.roles, **found.roles}})

    def replace(self, expected: int, make: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        """Write what `make` makes of the document, if its revision is still `expected`, and return it; blocks.

        Raises `StalePolicy`, `ManagedElsewhere`, `PolicyError`, and what `make` raises: then nothing was changed.
        """
        if self.path is None:
            return self._changed(self.current, expected, make, by, why)
        try:
            with self._locked(self.path):
                before = self.read()
                self._audit_missing(before)
                after = self._changed(before, expected, make, by, why)
                _write(self.path, after)
                self._audit(before, after)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise ManagedElsewhere(f"{self.path} can't be written here: change it where it comes from") from error
            raise
        return after

    def adopt(self, policy: Policy) -> None:
        """Take a document this process has just written, without waiting to see it in the file."""
        if policy.revision > self.current.revision:
            self._become(policy)

    def audit(self, limit: int) -> list[dict[str, Any]]:
        """The last changes, newest first: revision, at, by, why, before and after."""
        if self.folder is None:
            return []
        try:
            lines = (self.folder / "audit.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return list(islice(_rows(reversed(lines)), limit))

    async def _poll(self) -> None:
        while True:
            self.refresh()
            await asyncio.sleep(_WATCH_SECONDS)

    def _become(self, policy: Policy) -> None:
        if policy != self.current:
            self.current = policy
            for watcher in self._watchers:
                watcher(policy)

    @staticmethod
    def _changed(before: Policy, expected: int, make: Callable[[Policy], Policy], by: str, why: str) -> Policy:
        if before.revision != expected:
            raise StalePolicy(
                f"the policy is at revision {before.revision}, not {expected}: {before.changed.by} changed it "
                f"({before.changed.why}); read it again"
            )
        made = make(before)
        return made.model_copy(update={"revision": before.revision + 1, "changed": Change.now(by, why)})

    def _begin(self, path: Path) -> None:
        if not path.exists():
            try:
                with self._locked(path):
                    if not path.exists():
                        _write(path, self._first)
                        self._audit(None, self._first)
            except OSError as error:
                raise PolicyError(f"{path} can't be written: {error.strerror}") from error
        self.current, self._stamp = self.read(), _stamp(path)

    @contextmanager
    def _locked(self, path: Path) -> Generator[None, None, None]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / "policy.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _audit_missing(self, now: Policy) -> None:
        last = next(iter(self.audit(1)), None)
        if last is None or last["revision"] < now.revision:
            self._append({**_row(now), "before": last["after"] if last else None})

    def _audit(self, before: Policy | None, after: Policy) -> None:
        self._append({**_row(after), "before": _content(before) if before else None})

    def _append(self, row: dict[str, Any]) -> None:
        assert self.folder is not None
        with (self.folder / "audit.jsonl").open("a") as file:
            # The newline comes first: a line that a crash cut off must not take this one with it.
            file.write("\n" + json.dumps(row, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())


def _row(policy: Policy) -> dict[str, Any]:
    return {
        "revision": policy.revision,
        **policy.changed.model_dump(mode="json"),
        "after": _content(policy),
    }


def _rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):  # empty, or cut off by a crash
            yield json.loads(line)


def _content(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", include={"roles", "gates"})


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> Policy:
    try:
        return Policy.model_validate_json(path.read_text())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        raise PolicyError(f"{path} is no policy: {faults}") from error


def _write(path: Path, policy: Policy) -> None:
    temporary = path.with_suffix(".new")
    with temporary.open("w") as file:
        file.write(policy.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
