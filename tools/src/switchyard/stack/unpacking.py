"""Puts an archive into volumes in a container: all of it beside what is there, then one exchange."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tarfile import TarInfo
from typing import BinaryIO

from switchyard.stack import archive

_OURS = (archive.SNAPSHOT, archive.STAGING)


class Staging:
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
        target = self._place(path)
        target.mkdir(exist_ok=True)
        os.chown(target, member.uid, member.gid)
        target.chmod(member.mode & 0o777)

    def file(self, path: str, member: TarInfo, blocks: Iterator[bytes]) -> None:
        descriptor = os.open(self._place(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.writelines(blocks)
            os.fchown(target.fileno(), member.uid, member.gid)
            os.fchmod(target.fileno(), member.mode & 0o777)
        os.utime(self._place(path), (member.mtime, member.mtime))

    def exchange(self) -> None:
        """Replace what the volumes hold by what was staged."""
        os.sync()
        for volume in self._volumes:
            staged = volume / archive.STAGING
            for old in _content(volume):
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for new in staged.iterdir():
                new.rename(volume / new.name)
            found = staged.stat()
            os.chown(volume, found.st_uid, found.st_gid)
            volume.chmod(found.st_mode & 0o777)
        self.clear()
        os.sync()

    def _place(self, path: str) -> Path:
        volume, _, rest = path.partition("/")
        return self._root / volume / archive.STAGING / rest


def _content(volume: Path) -> list[Path]:
    return [path for path in volume.iterdir() if path.name not in _OURS]


def held(volume: Path) -> int:
    """How many files `volume` holds."""
    return sum(
        len(files)
        for path in _content(volume)
        for files in ([[path.name]] if not path.is_dir() else (found for _, _, found in os.walk(path)))
    )


def run(root: Path, volumes: Sequence[str], source: BinaryIO) -> None:
    """Tell what is there, and if told to go on unpack `source`; until all of it was right, nothing is replaced."""
    there = {name: held(root / name) for name in volumes}
    free = min(shutil.disk_usage(root / name).free for name in volumes)
    print(json.dumps({"held": there, "free": free}), flush=True)
    if source.readline().strip() != b"go":
        return
    staging = Staging(root, volumes)
    staging.begin()
    try:
        archive.read(source, staging)
        staging.exchange()
    finally:
        staging.clear()
    print(json.dumps({"restored": True}), flush=True)


def main(args: Sequence[str]) -> None:
    """`args`: the folder of the volumes and their names, as one JSON object."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = json.loads(args[0])
    run(Path(given["root"]), given["volumes"], sys.stdin.buffer)
