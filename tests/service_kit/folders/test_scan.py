"""What is seen of a folder, and when a file counts as written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from service_kit.folders.scan import SETTLE_SECONDS, Fingerprints, FolderGone, scan


class Clock:
    """Time that a test sets; it begins long after every file was written."""

    def __init__(self) -> None:
        self.now = 4e9

    def __call__(self) -> float:
        return self.now


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_files_are_listed_by_their_path_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "a")
    write(tmp_path / "deep" / "er" / "b.txt", "b")
    for hidden in (".c", ".git/config", "~$open.docx", "deep/Thumbs.db"):
        write(tmp_path / hidden, "x")
    write(tmp_path / "empty.txt", "")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bell\x07").write_text("x")
    with open(os.fsencode(tmp_path) + b"/latin-\xe9.txt", "w") as other:
        other.write("x")
    found = scan(tmp_path)
    assert set(found.files) == {"a.txt", "deep/er/b.txt"}
    assert set(found.skipped) == {"empty.txt", "link.txt", "loop", "pipe", "bell\x07", "latin-\\xe9.txt"}


def test_a_folder_that_is_gone_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FolderGone):
        scan(tmp_path / "nowhere")
    write(tmp_path / "file", "x")
    with pytest.raises(FolderGone):
        scan(tmp_path / "file")
    assert scan(tmp_path).files.keys() == {"file"}


def test_of_a_folder_that_cannot_be_listed_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "closed" / "a.txt", "a")
    write(tmp_path / "closed-not" / "b.txt", "b")
    original = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/closed"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan(tmp_path)
    assert found.files.keys() == {"closed-not/b.txt"}
    assert not found.knows("closed/a.txt")
    assert not found.knows("closed/deeper/a.txt")
    assert found.knows("closed-not/lost.txt")


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.txt", "one")
    prints = Fingerprints(tmp_path, Clock())
    assert prints.read(scan(tmp_path)).hashes == {"a.txt": hashlib.sha256(b"one").hexdigest()}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda *_: pytest.fail("read again"))
        assert prints.read(scan(tmp_path)).hashes.keys() == {"a.txt"}
    write(tmp_path / "a.txt", "other")
    assert prints.read(scan(tmp_path)).hashes == {"a.txt": hashlib.sha256(b"other").hexdigest()}


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "half")
    clock = Clock()
    clock.now = (tmp_path / "a.txt").stat().st_mtime
    prints = Fingerprints(tmp_path, clock)
    assert prints.read(scan(tmp_path)).waiting == {"a.txt"}
    write(tmp_path / "a.txt", "all of it")
    clock.now = (tmp_path / "a.txt").stat().st_mtime + SETTLE_SECONDS / 2
    assert prints.read(scan(tmp_path)).waiting == {"a.txt"}
    clock.now += SETTLE_SECONDS
    assert prints.read(scan(tmp_path)).hashes.keys() == {"a.txt"}


def test_a_share_whose_clock_is_ahead_is_read_by_ours(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "text")
    os.utime(tmp_path / "a.txt", (5e9, 5e9))
    clock = Clock()
    prints = Fingerprints(tmp_path, clock)
    assert prints.read(scan(tmp_path)).waiting == {"a.txt"}
    clock.now += SETTLE_SECONDS
    assert prints.read(scan(tmp_path)).hashes.keys() == {"a.txt"}


def test_a_file_that_goes_while_it_is_read_is_looked_at_again(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "text")
    listing = scan(tmp_path)
    (tmp_path / "a.txt").unlink()
    assert Fingerprints(tmp_path, Clock()).read(listing).waiting == {"a.txt"}
