"""Files by the hash of their bytes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from service_kit.originals import EmptyFile, Originals


async def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    store = Originals(tmp_path)
    first, again = await store.store(io.BytesIO(b"hello")), await store.store(io.BytesIO(b"hello"))
    assert first == again
    assert first.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert store.path(first.sha256).read_bytes() == b"hello"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    assert await store.delete(first.sha256) is True
    assert await store.delete(first.sha256) is False


async def test_a_source_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await Originals(tmp_path).store(Broken())  # type: ignore[arg-type]
    with pytest.raises(EmptyFile):
        await Originals(tmp_path).store(io.BytesIO(b""))
    assert list(tmp_path.iterdir()) == []
