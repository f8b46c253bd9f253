"""Takes a snapshot of volumes in a container, told by lines on stdin; then streams it as an archive to stdout.

Originals are hard-linked (they never change); all else is copied while the services are frozen, so this is kept short.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from switchyard.stack import archive

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 24


def immutable(path: Path) -> bool:
    """Whether `path` is content-addressed: a SHA-256 in a folder of its first two digits."""
    return bool(_DIGEST.fullmatch(path.name)) and path.parent.name == path.name[:2]


class Snapshot:
    """The copy of one volume, in a folder of its own in that volume, because links do not cross volumes."""

    def __init__(self, volume: Path) -> None:
        self.volume, self.folder = volume, volume / archive.SNAPSHOT
        self.left_out: list[str] = []
        self._linked: set[Path] = set()

    def clear(self) -> None:
        """Remove the snapshot; also one that a killed backup left."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def sizes(self) -> tuple[int, int]:
        """Return the bytes to be copied, and all bytes."""
        copied = whole = 0
        for path in self._files():
            with suppress(FileNotFoundError):  # the services are still at work
                size = path.lstat().st_size
                whole += size
                copied += 0 if immutable(path) else size
        return copied, whole

    def prepare(self) -> None:
        """Link what is immutable, while the services still run."""
        self.folder.mkdir(mode=0o700)
        for path in self._files():
            if immutable(path):
                with suppress(FileNotFoundError):
                    self._link(path)

    def take(self) -> None:
        """Copy all else, and link what has come since; nothing may change meanwhile."""
        present: set[Path] = set()
        for folder, folders, files in self._walk():
            self._folder(folder)
            for name in (*folders, *files):
                path = folder / name
                kind = path.lstat().st_mode
                if immutable(path) and stat.S_ISREG(kind):
                    present.add(path)
                    if path not in self._linked:
                        self._link(path)
                elif stat.S_ISREG(kind):
                    _copy(path, self._inside(path))
                elif not stat.S_ISDIR(kind):
                    self.left_out.append(str(path.relative_to(self.volume.parent)))
        for path in self._linked - present:  # deleted in the meantime: deleted it stays
            self._inside(path).unlink()

    def _inside(self, path: Path) -> Path:
        return self.folder / path.relative_to(self.volume)

    def _link(self, path: Path) -> None:
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
        self._linked.add(path)

    def _folder(self, folder: Path) -> None:
        target, found = self._inside(folder), folder.lstat()
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, found.st_uid, found.st_gid)
        target.chmod(stat.S_IMODE(found.st_mode))

    def _walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        for folder, folders, files in os.walk(self.volume):
            if Path(folder) == self.volume:
                folders[:] = [name for name in folders if name not in (archive.SNAPSHOT, archive.STAGING)]
            yield Path(folder), folders, files

    def _files(self) -> Iterator[Path]:
        return (folder / name for folder, _, files in self._walk() for name in files)


def _copy(source: Path, target: Path) -> None:
    """Copy content, owner, mode and time; shares blocks where the file system can."""
    with source.open("rb") as given, target.open("xb") as taken:
        try:
            while os.copy_file_range(given.fileno(), taken.fileno(), _BLOCK):
                pass
        except OSError:  # not on this file system
            given.seek(0)
            taken.seek(0)
            taken.truncate()
            shutil.copyfileobj(given, taken, _BLOCK)
        found = os.fstat(given.fileno())
        os.fchown(taken.fileno(), found.st_uid, found.st_gid)
        os.fchmod(taken.fileno(), stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def run(
    root: Path, volumes: Sequence[str], about: dict[str, Any], told: Callable[[], str], tell: Callable[[Any], None]
) -> None:
    """Prepare, take and send the snapshot, each when `told` so; it is removed whatever happens."""
    snapshots = [Snapshot(root / name) for name in volumes]
    try:
        for snapshot in snapshots:
            snapshot.clear()
        sizes = [snapshot.sizes() for snapshot in snapshots]
        free = min(shutil.disk_usage(snapshot.volume).free for snapshot in snapshots)
        tell({"copied": sum(size[0] for size in sizes), "whole": sum(size[1] for size in sizes), "free": free})
        for step, act in (("prepare", Snapshot.prepare), ("take", Snapshot.take)):
            if told() != step:
                return
            for snapshot in snapshots:
                act(snapshot)
            tell({"left_out": [name for snapshot in snapshots for name in snapshot.left_out]})
        if told() == "send":
            folders = {snapshot.volume.name: snapshot.folder for snapshot in snapshots}
            archive.write(sys.stdout.buffer, folders, about)
            sys.stdout.buffer.flush()
    finally:
        for snapshot in snapshots:
            snapshot.clear()


def main(args: Sequence[str]) -> None:
    """`args`: the folder of the volumes, their names, and what the manifest says besides, as one JSON object."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = json.loads(args[0])

    def tell(what: Any) -> None:
        print(json.dumps(what), flush=True)

    run(Path(given["root"]), given["volumes"], given["about"], lambda: sys.stdin.readline().strip(), tell)
