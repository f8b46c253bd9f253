"""The snapshot inside the volumes: what is copied, what is linked, and that none of it stays."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

import pytest

from service_kit.volumes import archive, snapshot
from service_kit.volumes.snapshot import Snapshot


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "rag"
    (root / "originals").mkdir(parents=True)
    (root / "rag.db").write_bytes(b"rows")
    (root / "rag.db").chmod(0o600)
    return root


def original(volume: Path, text: str) -> Path:
    sha = hashlib.sha256(text.encode()).hexdigest()
    path = volume / "originals" / sha[:2] / sha
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def inside(volume: Path, path: Path) -> Path:
    return volume / archive.SNAPSHOT / path.relative_to(volume)


def test_originals_are_linked_and_all_else_is_copied(volume: Path) -> None:
    kept, deleted = original(volume, "kept"), original(volume, "deleted")
    taken = Snapshot(volume)
    taken.prepare()
    deleted.unlink()
    late = original(volume, "late")
    taken.take()
    (volume / "rag.db").write_bytes(b"later")
    assert inside(volume, kept).samefile(kept)
    assert inside(volume, late).samefile(late)
    assert not inside(volume, deleted).exists()
    assert inside(volume, volume / "rag.db").read_bytes() == b"rows"
    assert inside(volume, volume / "rag.db").stat().st_mode & 0o777 == 0o600


def test_sizes_count_what_is_copied_apart(volume: Path) -> None:
    original(volume, "12345")
    assert Snapshot(volume).sizes() == (4, 9)


def test_what_is_no_file_is_left_out_and_reported(volume: Path) -> None:
    (volume / "link").symlink_to("/etc")
    os.mkfifo(volume / "pipe")
    taken = Snapshot(volume)
    taken.prepare()
    taken.take()
    assert sorted(taken.left_out) == ["rag/link", "rag/pipe"]
    assert sorted(path.name for path in taken.folder.iterdir()) == ["originals", "rag.db"]


@pytest.mark.parametrize("words", [[], ["prepare"], ["prepare", "take"], ["nonsense"]])
def test_a_snapshot_that_is_given_up_is_removed(volume: Path, words: list[str]) -> None:
    (volume / archive.SNAPSHOT / "of a killed one").mkdir(parents=True)
    commands, output = io.BytesIO("\n".join(words).encode()), io.BytesIO()
    snapshot.run(volume.parent, ["rag"], {}, commands, output)
    assert json.loads(output.getvalue().splitlines()[0])["copied"] == 4
    assert sorted(path.name for path in volume.iterdir()) == ["originals", "rag.db"]


def test_only_a_digest_in_its_own_folder_is_immutable(volume: Path) -> None:
    sha = "ab" + "0" * 62
    assert snapshot.is_original(Path("originals/ab", sha))
    assert not snapshot.is_original(Path("originals/cd", sha))
    assert not snapshot.is_original(Path("originals/ab/incoming-1"))
