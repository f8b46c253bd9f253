"""Originals: uploaded files, stored under the SHA-256 of their content."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from service_kit.errors import InvalidInput

_BLOCK = 1 << 20


class EmptyFile(InvalidInput):
    type = "empty-file"


@dataclass(frozen=True, slots=True)
class Original:
    sha256: str
    size: int


class Originals:
    """A folder of files; a file that exists is complete and flushed to disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    async def store(self, source: BinaryIO) -> Original:
        """Copy `source` in, flushed to disk before this returns; the same content is stored once. Raises `EmptyFile`."""
        return await asyncio.to_thread(self._store, source)

    def _store(self, source: BinaryIO) -> Original:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        try:
            with os.fdopen(descriptor, "wb") as target:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
            if size == 0:
                raise EmptyFile("the file is empty: there is nothing to read in it", field="file")
            final = self.path(digest.hexdigest())
            final.parent.mkdir(exist_ok=True)
            Path(name).replace(final)
            folder = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            Path(name).unlink(missing_ok=True)
        return Original(digest.hexdigest(), size)

    async def delete(self, sha256: str) -> bool:
        """Remove the file; return whether there was one."""
        path = self.path(sha256)
        existed = path.exists()
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return existed
