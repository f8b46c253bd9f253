"""Small files that several processes share: locked for writing, replaced whole, and read again only when changed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]
"""Modification time in nanoseconds, inode and size: a file that is only ever replaced whole changes at least one."""


class SharedFile:
    """One file on a volume; readers take no lock, because a writer renames a finished file over the old one.

    `mode` is the permission of the file from its first byte on. Change detection polls `stamp`: inotify does not see
    what another host writes to a network volume.
    """

    def __init__(self, path: Path, mode: int = 0o644) -> None:
        self.path = path
        self._mode = mode

    def stamp(self) -> Stamp | None:
        """Return what changes whenever the content does; None if there is no file. Raises OSError."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> str:
        """Return the whole text; raises FileNotFoundError and other OSErrors."""
        return self.path.read_text()

    def write(self, text: str) -> None:
        """Replace the content atomically and durably; call it inside `locked` where the new text depends on the old."""
        temporary = self.path.with_name(f"{self.path.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Keep out every other writer, of this process and of others; blocks, so call it in a worker thread."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
