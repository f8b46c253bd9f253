"""The archive's format: what goes in comes out, and nothing else is ever let in."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service_kit.volumes import archive
from service_kit.volumes.archive import Damaged, VerifyOnly
from service_kit.volumes.staging import Staging


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "originals" / "ab").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o700)
    (root / "rag.db").write_bytes(os.urandom(300_000))
    (root / "rag.db").chmod(0o640)
    (root / "originals" / "ab" / "naïve – name").write_text("text")
    os.utime(root / "rag.db", (1_700_000_000, 1_700_000_000))
    return root


@pytest.fixture
def packed(source: Path) -> bytes:
    target = io.BytesIO()
    archive.write(target, {"rag": source}, {"made": "today"})
    return target.getvalue()


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """The volume rag, with something in it."""
    root = tmp_path / "volumes"
    (root / "rag").mkdir(parents=True)
    (root / "rag" / "old").write_text("old")
    return root


def unpack(data: bytes, volumes: Path) -> dict[str, Any]:
    staging = Staging(volumes, ["rag"])
    staging.begin()
    try:
        manifest = archive.read(io.BytesIO(data), staging, ["rag"])
        staging.exchange()
        return manifest
    finally:
        staging.clear()


def content(root: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in root.rglob("*")
    }


def test_what_goes_in_comes_out_and_replaces_what_was_there(source: Path, packed: bytes, volumes: Path) -> None:
    manifest = unpack(packed, volumes)
    assert content(volumes / "rag") == content(source)
    assert (volumes / "rag" / "rag.db").stat().st_mtime == 1_700_000_000
    assert manifest["made"] == "today"
    assert manifest["files"]["rag/originals/ab/naïve – name"]["size"] == 4


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.999])
def test_an_archive_that_was_cut_off_changes_nothing(packed: bytes, volumes: Path, share: float) -> None:
    before = content(volumes)
    with pytest.raises(Damaged):
        unpack(packed[: int(len(packed) * share)], volumes)
    assert content(volumes) == before


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99999])
def test_a_flipped_bit_changes_nothing(packed: bytes, volumes: Path, share: float) -> None:
    before, damaged = content(volumes), bytearray(packed)
    damaged[int(len(damaged) * share)] ^= 0x10
    with pytest.raises(Damaged):
        unpack(bytes(damaged), volumes)
    assert content(volumes) == before


def crafted(*members: tuple[str, bytes, str], manifest: Any = None) -> bytes:
    """An archive of `(name, type, text or link)`, with the manifest that fits it unless another is given."""
    plain, files = io.BytesIO(), {}
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(text)
                hashed = __import__("hashlib").sha256(text.encode()).hexdigest()
                files[name] = {"size": len(text), "sha256": hashed}
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()) if kind == tarfile.REGTYPE else None)
        wanted = {"format": archive.FORMAT, "files": files} if manifest is None else manifest
        last = tarfile.TarInfo(archive.MANIFEST)
        body = json.dumps(wanted).encode()
        last.size = len(body)
        tar.addfile(last, io.BytesIO(body))
    return gzip.compress(plain.getvalue())


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("../outside", tarfile.REGTYPE, "x"),
        ("rag/../../outside", tarfile.REGTYPE, "x"),
        ("/outside", tarfile.REGTYPE, "x"),
        ("rag//outside", tarfile.REGTYPE, "x"),
        ("rag/./x", tarfile.REGTYPE, "x"),
        ("elsewhere/x", tarfile.REGTYPE, "x"),
        ("rag", tarfile.REGTYPE, "x"),
        ("rag/.switchyard-restore/x", tarfile.REGTYPE, "x"),
        ("rag/link", tarfile.SYMTYPE, "/etc"),
        ("rag/link", tarfile.LNKTYPE, "rag/old"),
        ("rag/pipe", tarfile.FIFOTYPE, ""),
        ("rag/device", tarfile.CHRTYPE, ""),
    ],
)
def test_nothing_but_plain_files_in_a_volume_is_let_in(volumes: Path, name: str, kind: bytes, text: str) -> None:
    before = content(volumes.parent)
    with pytest.raises(Damaged, match=name.split("/")[-1]):
        unpack(crafted(("rag", tarfile.DIRTYPE, ""), (name, kind, text)), volumes)
    assert content(volumes.parent) == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: crafted(("rag/a", tarfile.REGTYPE, "1"), ("rag/a", tarfile.REGTYPE, "1")), "there twice"),
        (
            lambda: crafted(("rag/a", tarfile.REGTYPE, "1"), manifest={"format": 1, "files": {}}),
            "not what the manifest",
        ),
        (lambda: crafted(manifest={"format": 1, "files": {"rag/a": {}}}), "rag/a is missing"),
        (lambda: crafted(manifest={"format": 2, "files": {}}), "format 2"),
        (lambda: crafted(manifest=[]), "lists no files"),
        (lambda: crafted((archive.MANIFEST, tarfile.REGTYPE, "{"), manifest={}), "not JSON"),
        (lambda: gzip.compress(b"no tar"), "can't be read|no manifest"),
        (lambda: b"no gzip", "can't be read"),
    ],
)
def test_an_archive_that_is_not_right_is_refused(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(Damaged, match=words):
        archive.read(io.BytesIO(make()), VerifyOnly(), ["rag"])


def test_what_follows_the_manifest_is_refused() -> None:
    first, second = crafted(), crafted(("rag/a", tarfile.REGTYPE, "1"))
    blocks = gzip.decompress(first)[:1024] + gzip.decompress(second)
    with pytest.raises(Damaged, match="follows the manifest"):
        archive.read(io.BytesIO(gzip.compress(blocks)), VerifyOnly(), ["rag"])
