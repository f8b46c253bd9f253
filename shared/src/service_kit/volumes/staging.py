"""An archive unpacked into volumes: everything beside what is there, then one exchange."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tarfile import TarInfo
from typing import BinaryIO

from service_kit.volumes import archive

_TEMPORARY = (archive.SNAPSHOT, archive.STAGING)


class Staging(archive.VerifyOnly):
    """Writes into a new folder in each volume; no link is ever made there, so no path leads out of it."""

    def __init__(self, root: Path, volumes: Sequence[str]) -> None:
        self._volumes = [root / name for name in volumes]
        self._root = root

    def clear(self) -> None:
        for volume in self._volumes:
            if (volume / archive.STAGING).exists():
                shutil.rmtree(volume / archive.STAGING)

    def begin(self) -> None:
        self.clear()
        for volume in self._volumes:
            (volume / archive.STAGING).mkdir(mode=0o700)

    def folder(self, path: str, member: TarInfo) -> None:
        target = self._target(path)
        target.mkdir(exist_ok=True)
        os.chown(target, member.uid, member.gid)
        target.chmod(member.mode & 0o777)

    def file(self, path: str, member: TarInfo, blocks: Iterator[bytes]) -> None:
        descriptor = os.open(self._target(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.writelines(blocks)
            os.fchown(target.fileno(), member.uid, member.gid)
            os.fchmod(target.fileno(), member.mode & 0o777)
        os.utime(self._target(path), (member.mtime, member.mtime))

    def exchange(self) -> None:
        """Replace the contents of the volumes by what was staged."""
        os.sync()
        for volume in self._volumes:
            staged = volume / archive.STAGING
            for old in _contents(volume):
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for new in staged.iterdir():
                new.rename(volume / new.name)
            status = staged.stat()
            os.chown(volume, status.st_uid, status.st_gid)
            volume.chmod(status.st_mode & 0o777)
        self.clear()
        os.sync()

    def _target(self, path: str) -> Path:
        volume, _, rest = path.partition("/")
        return self._root / volume / archive.STAGING / rest


def _contents(volume: Path) -> list[Path]:
    return [path for path in volume.iterdir() if path.name not in _TEMPORARY]


def _count(volume: Path) -> int:
    return sum(
        1 for path in _contents(volume) for file in (path, *path.rglob("*")) if file.is_symlink() or not file.is_dir()
    )


def run(root: Path, volumes: Sequence[str], source: BinaryIO, output: BinaryIO) -> None:
    """Print what the volumes hold, and after the line `go` unpack `source`; nothing is replaced unless all of it is right."""
    files = {name: _count(root / name) for name in volumes}
    free = min(shutil.disk_usage(root / name).free for name in volumes)
    archive.answer(output, {"files": files, "free": free})
    if source.readline().strip() != b"go":
        return
    staging = Staging(root, volumes)
    staging.begin()
    try:
        archive.read(source, staging, volumes)
        staging.exchange()
    finally:
        staging.clear()
    archive.answer(output, {"restored": True})
