"""The format of a backup: a gzipped tar of volumes, whose last member lists every file with size and SHA-256.

Runs on the host and, by `carried`, in a container: it imports nothing of ours.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

FORMAT = 1
VOLUMES = ("keys", "policy", "rag", "notes", "chroma")
MANIFEST = "manifest.json"
SNAPSHOT, STAGING = ".switchyard-backup", ".switchyard-restore"
"""Folders of ours in each volume, while a backup is made or restored."""
_BLOCK = 1 << 20
_LEVEL = 1  # originals are compressed already, and nothing waits for a smaller file


class Damaged(ValueError):
    """The archive is not what a backup made, or no longer."""


class Sink(Protocol):
    """Takes what an archive holds; paths begin with the volume's name."""

    def folder(self, path: str, member: tarfile.TarInfo) -> None: ...

    def file(self, path: str, member: tarfile.TarInfo, blocks: Iterator[bytes]) -> None: ...


class Nowhere:
    """Reads everything and keeps nothing."""

    def folder(self, path: str, member: tarfile.TarInfo) -> None:
        pass

    def file(self, path: str, member: tarfile.TarInfo, blocks: Iterator[bytes]) -> None:
        for _ in blocks:
            pass


def write(target: BinaryIO, roots: Mapping[str, Path], about: Mapping[str, Any]) -> None:
    """Write the folders `roots`, by volume, to `target`, and last the manifest, with `about` in it."""
    files: dict[str, dict[str, Any]] = {}
    packed = gzip.GzipFile(fileobj=target, mode="wb", compresslevel=_LEVEL)
    with packed, tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, root in roots.items():
            for path in _walk(root):
                inside = "/".join((name, *path.relative_to(root).parts))
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode):
                    tar.addfile(_member(inside, found, tarfile.DIRTYPE))
                else:
                    files[inside] = {
                        "size": found.st_size,
                        "sha256": _add(tar, _member(inside, found, tarfile.REGTYPE), path),
                    }
        manifest = json.dumps({**about, "format": FORMAT, "volumes": list(roots), "files": files}).encode()
        last = tarfile.TarInfo(MANIFEST)
        last.size = len(manifest)
        tar.addfile(last, io.BytesIO(manifest))


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    with path.open("rb") as source:
        hashing = _Hashing(source)
        tar.addfile(member, hashing)
    return hashing.digest.hexdigest()


def read(source: BinaryIO, sink: Sink) -> dict[str, Any]:
    """Hand everything in the archive to `sink`, compare it with the manifest, and return that; raises `Damaged`.

    Only plain files and folders with plain names below a known volume are handed on.
    """
    seen: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            for member in tar:
                if manifest is not None:
                    raise Damaged("something follows the manifest")
                if member.name == MANIFEST:
                    manifest = _manifest(tar, member)
                else:
                    _hand_on(tar, member, sink, seen)
            while packed.read(_BLOCK):  # up to gzip's own checksum
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"the archive can't be read to its end: {error}") from error
    if manifest is None:
        raise Damaged("the archive has no manifest: it is no backup, or it was cut off")
    _compare(manifest["files"], seen)
    return manifest


def _hand_on(tar: tarfile.TarFile, member: tarfile.TarInfo, sink: Sink, seen: dict[str, dict[str, Any]]) -> None:
    path = _safe(member)
    if member.isdir():
        sink.folder(path, member)
        return
    if path in seen:
        raise Damaged(f"{path} is there twice")
    source = tar.extractfile(member)
    assert source is not None  # a plain file, says _safe
    hashing = _Hashing(source)
    sink.file(path, member, iter(lambda: hashing.read(_BLOCK), b""))
    seen[path] = {"size": member.size, "sha256": hashing.digest.hexdigest()}


def _safe(member: tarfile.TarInfo) -> str:
    parts = member.name.split("/")
    if parts[0] not in VOLUMES or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Damaged(f"{member.name!r} is no path in a volume")
    if parts[1:2] in ([SNAPSHOT], [STAGING]):
        raise Damaged(f"{member.name!r} is a name that is ours")
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise Damaged(f"{member.name!r} is neither a file nor a folder")
    if len(parts) == 1 and not member.isdir():
        raise Damaged(f"{member.name!r} should be a folder")
    return member.name


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    source = tar.extractfile(member)
    try:
        found = json.loads(source.read()) if source else None
    except ValueError as error:
        raise Damaged("the manifest is not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise Damaged("the manifest lists no files")
    if found.get("format") != FORMAT:
        raise Damaged(f"the archive has format {found.get('format')!r}, this version reads {FORMAT}")
    return found


def _compare(wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    for path in sorted({*wanted, *seen}):
        if path not in seen:
            raise Damaged(f"{path} is missing")
        if wanted.get(path) != seen[path]:
            raise Damaged(f"{path} is not what the manifest says it was")


def _walk(root: Path) -> Iterator[Path]:
    yield root
    for folder, folders, files in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in (*folders, *sorted(files)))


def _member(name: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, stat.S_IMODE(found.st_mode)
    member.uid, member.gid, member.mtime = found.st_uid, found.st_gid, int(found.st_mtime)
    member.size = found.st_size if kind == tarfile.REGTYPE else 0
    return member


class _Hashing:
    """Reads from `source` and hashes what it reads."""

    def __init__(self, source: Any) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._source.read(size)
        self.digest.update(block)
        return block
