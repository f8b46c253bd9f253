"""The format of a backup: a gzipped tar of volumes; its last member lists every file with size and SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = 1
MANIFEST = "manifest.json"
SNAPSHOT, STAGING = ".switchyard-backup", ".switchyard-restore"
"""Temporary folders in each volume, while a backup is made or restored."""
_BLOCK = 1 << 20
_LEVEL = 1  # originals are compressed already


class Damaged(ValueError):
    """The archive is not as a backup wrote it."""


class VerifyOnly:
    """Receives the contents of an archive and keeps nothing, unless overridden; paths begin with the volume's name."""

    def folder(self, path: str, member: tarfile.TarInfo) -> None:
        pass

    def file(self, path: str, member: tarfile.TarInfo, blocks: Iterator[bytes]) -> None:
        for _ in blocks:
            pass


def write(output: BinaryIO, roots: Mapping[str, Path], about: Mapping[str, Any]) -> None:
    """Write the folder of each volume to `output`, and last the manifest, which includes `about`."""
    files: dict[str, dict[str, Any]] = {}
    compressed = gzip.GzipFile(fileobj=output, mode="wb", compresslevel=_LEVEL)
    with compressed, tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for volume, root in roots.items():
            for path in _walk(root):
                name, status = "/".join((volume, *path.relative_to(root).parts)), path.lstat()
                if stat.S_ISDIR(status.st_mode):
                    tar.addfile(_member(name, status, tarfile.DIRTYPE))
                else:
                    with path.open("rb") as source:
                        hashing = _HashingReader(source)
                        tar.addfile(_member(name, status, tarfile.REGTYPE), hashing)
                    files[name] = {"size": status.st_size, "sha256": hashing.digest.hexdigest()}
        manifest = json.dumps({**about, "format": FORMAT, "volumes": list(roots), "files": files}).encode()
        last = tarfile.TarInfo(MANIFEST)
        last.size = len(manifest)
        tar.addfile(last, io.BytesIO(manifest))


def read(source: BinaryIO, target: VerifyOnly, volumes: Collection[str]) -> dict[str, Any]:
    """Pass the contents of the archive to `target`, compare them with the manifest, and return it; raises `Damaged`.

    Only plain files and folders with plain names in one of `volumes` are passed on.
    """
    files: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as compressed, tarfile.open(fileobj=compressed, mode="r|") as tar:
            for member in tar:
                if manifest is not None:
                    raise Damaged("something follows the manifest")
                if member.name == MANIFEST:
                    manifest = _manifest(tar, member)
                else:
                    _extract(tar, member, volumes, target, files)
            while compressed.read(_BLOCK):  # to the end, for gzip's checksum
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"the archive can't be read to its end: {error}") from error
    if manifest is None:
        raise Damaged("the archive has no manifest: it is no backup, or it was cut off")
    _compare(manifest["files"], files)
    return manifest


def _extract(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    volumes: Collection[str],
    target: VerifyOnly,
    files: dict[str, dict[str, Any]],
) -> None:
    path = _safe_path(member, volumes)
    if member.isdir():
        target.folder(path, member)
        return
    if path in files:
        raise Damaged(f"{path} is there twice")
    source = tar.extractfile(member)
    assert source is not None  # a plain file: see _safe_path
    hashing = _HashingReader(source)
    target.file(path, member, iter(lambda: hashing.read(_BLOCK), b""))
    files[path] = {"size": member.size, "sha256": hashing.digest.hexdigest()}


def _safe_path(member: tarfile.TarInfo, volumes: Collection[str]) -> str:
    parts = member.name.split("/")
    if parts[0] not in volumes or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Damaged(f"{member.name!r} is no path in a volume")
    if parts[1:2] in ([SNAPSHOT], [STAGING]):
        raise Damaged(f"{member.name!r} is a reserved name")
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise Damaged(f"{member.name!r} is neither a file nor a folder")
    if len(parts) == 1 and not member.isdir():
        raise Damaged(f"{member.name!r} should be a folder")
    return member.name


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    source = tar.extractfile(member)
    try:
        manifest = json.loads(source.read()) if source else None
    except ValueError as error:
        raise Damaged("the manifest is not JSON") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise Damaged("the manifest lists no files")
    if manifest.get("format") != FORMAT:
        raise Damaged(f"the archive has format {manifest.get('format')!r}, this version reads {FORMAT}")
    return manifest


def _compare(listed: Mapping[str, Any], files: Mapping[str, Any]) -> None:
    for path in sorted({*listed, *files}):
        if path not in files:
            raise Damaged(f"{path} is missing")
        if listed.get(path) != files[path]:
            raise Damaged(f"{path} is not what the manifest says")


def _walk(root: Path) -> Iterator[Path]:
    yield root
    for folder, folders, files in os.walk(root):
        folders.sort()
        yield from (Path(folder, name) for name in (*folders, *sorted(files)))


def _member(name: str, status: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, stat.S_IMODE(status.st_mode)
    member.uid, member.gid, member.mtime = status.st_uid, status.st_gid, int(status.st_mtime)
    member.size = status.st_size if kind == tarfile.REGTYPE else 0
    return member


def answer(output: BinaryIO, value: Mapping[str, Any]) -> None:
    """Write a line of JSON, at once."""
    output.write(json.dumps(value).encode() + b"\n")
    output.flush()


class _HashingReader:
    """Hashes what it reads from `source`."""

    def __init__(self, source: Any) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._source.read(size)
        self.digest.update(block)
        return block
