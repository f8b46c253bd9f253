"""A snapshot of volumes, streamed as an archive.

Originals are hard-linked, as they never change; the rest is copied while the services are paused, so this is kept short.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from service_kit.volumes import archive

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 24


def is_original(path: Path) -> bool:
    """Return whether `path` is content-addressed: a SHA-256 in a folder of its first two digits."""
    return bool(_DIGEST.fullmatch(path.name)) and path.parent.name == path.name[:2]


class Snapshot:
    """The copy of one volume, in a folder of that volume, because links can't cross volumes."""

    def __init__(self, volume: Path) -> None:
        self.volume, self.folder = volume, volume / archive.SNAPSHOT
        self.left_out: list[str] = []
        self._linked: set[Path] = set()

    def clear(self) -> None:
        """Remove the snapshot, also one of a backup that was killed."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes will be copied, and how many there are in total."""
        copied = total = 0
        for path in self._files():
            with suppress(FileNotFoundError):  # the services still run
                size = path.lstat().st_size
                total += size
                copied += 0 if is_original(path) else size
        return copied, total

    def prepare(self) -> None:
        """Link the originals while the services still run."""
        self.folder.mkdir(mode=0o700)
        for path in self._files():
            if is_original(path):
                with suppress(FileNotFoundError):
                    self._link(path)

    def take(self) -> None:
        """Copy the rest, and link originals that are new; nothing may change meanwhile."""
        originals: set[Path] = set()
        for folder, folders, files in self._walk():
            self._make_folder(folder)
            for name in (*folders, *files):
                path = folder / name
                mode = path.lstat().st_mode
                if is_original(path) and stat.S_ISREG(mode):
                    originals.add(path)
                    if path not in self._linked:
                        self._link(path)
                elif stat.S_ISREG(mode):
                    _copy(path, self._target(path))
                elif not stat.S_ISDIR(mode):
                    self.left_out.append(str(path.relative_to(self.volume.parent)))
        for path in self._linked - originals:  # deleted since they were linked
            self._target(path).unlink()

    def _target(self, path: Path) -> Path:
        return self.folder / path.relative_to(self.volume)

    def _link(self, path: Path) -> None:
        target = self._target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
        self._linked.add(path)

    def _make_folder(self, folder: Path) -> None:
        target, status = self._target(folder), folder.lstat()
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, status.st_uid, status.st_gid)
        target.chmod(stat.S_IMODE(status.st_mode))

    def _walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        for folder, folders, files in os.walk(self.volume):
            if Path(folder) == self.volume:
                folders[:] = [name for name in folders if name not in (archive.SNAPSHOT, archive.STAGING)]
            yield Path(folder), folders, files

    def _files(self) -> Iterator[Path]:
        return (folder / name for folder, _, files in self._walk() for name in files)


def _copy(source: Path, target: Path) -> None:
    """Copy content, owner, mode and time; shares blocks where the file system can."""
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), _BLOCK):
                pass
        except OSError:  # not on this file system
            reader.seek(0)
            writer.seek(0)
            writer.truncate()
            shutil.copyfileobj(reader, writer, _BLOCK)
        status = os.fstat(reader.fileno())
        os.fchown(writer.fileno(), status.st_uid, status.st_gid)
        os.fchmod(writer.fileno(), stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def run(root: Path, volumes: Sequence[str], about: dict[str, Any], commands: BinaryIO, output: BinaryIO) -> None:
    """Prepare, take and send the snapshot, each at a line of `commands` that says so; it is removed in any case.

    Answers each line with one of JSON, and `send` with the archive.
    """
    snapshots = [Snapshot(root / name) for name in volumes]
    try:
        for snapshot in snapshots:
            snapshot.clear()
        sizes = [snapshot.sizes() for snapshot in snapshots]
        free = min(shutil.disk_usage(snapshot.volume).free for snapshot in snapshots)
        archive.answer(
            output, {"copied": sum(size[0] for size in sizes), "total": sum(size[1] for size in sizes), "free": free}
        )
        for command, step in ((b"prepare", Snapshot.prepare), (b"take", Snapshot.take)):
            if commands.readline().strip() != command:
                return
            for snapshot in snapshots:
                step(snapshot)
            archive.answer(output, {"left_out": [name for snapshot in snapshots for name in snapshot.left_out]})
        if commands.readline().strip() == b"send":
            archive.write(output, {snapshot.volume.name: snapshot.folder for snapshot in snapshots}, about)
            output.flush()
    finally:
        for snapshot in snapshots:
            snapshot.clear()
