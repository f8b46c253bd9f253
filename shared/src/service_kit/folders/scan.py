"""What is in a folder now, and what its files hold; files that are still being written are waited for."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

SETTLE_SECONDS = 2.0
"""How long a file must have been left alone: whoever writes it may not be done before."""
_LITTER = frozenset({"Thumbs.db", "desktop.ini"})
Signature: TypeAlias = tuple[int, int, int, int]
"""Size, times of modification and change, and number of a file: what differs once other bytes are in it."""


class FolderGone(Exception):
    """The folder is not there, or cannot be listed: nothing is known of its files."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder by their path in it, with `/`; `skipped` says why others are left out.

    Of what lies below an entry of `unknown`, nothing can be said.
    """

    files: dict[str, Signature] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def knows(self, name: str) -> bool:
        return not any(name == above or name.startswith(f"{above}/") for above in self.unknown)


def scan(root: Path) -> Listing:
    """List the files below `root`, without hidden ones and links; raises `FolderGone`."""
    found = Listing()
    try:
        waiting = [(str(root), "")]
        while waiting:
            path, prefix = waiting.pop()
            try:
                for entry in _entries(path):
                    _note(entry, prefix, found, waiting)
            except OSError as error:
                if not prefix:
                    raise
                found.unknown.append(prefix.rstrip("/"))
                found.skipped[prefix] = error.strerror or "cannot be listed"
    except OSError as error:
        raise FolderGone(f"{root}: {error.strerror}") from error
    return found


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        yield from entries


def _note(entry: os.DirEntry[str], prefix: str, found: Listing, waiting: list[tuple[str, str]]) -> None:
    shown = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
    name = prefix + shown
    if entry.name.startswith((".", "~$")) or entry.name in _LITTER:
        return
    if shown != entry.name:
        found.skipped[name] = "its name is no UTF-8"
        return
    if entry.is_symlink():
        # It may lead out of the folder, or to a folder above.
        found.skipped[name] = "a link"
        return
    if entry.is_dir(follow_symlinks=False):
        waiting.append((entry.path, f"{name}/"))
        return
    try:
        about = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        found.unknown.append(name)
        found.skipped[name] = error.strerror or "cannot be read"
        return
    if not stat.S_ISREG(about.st_mode):
        found.skipped[name] = "no file"
    elif about.st_size == 0:
        found.skipped[name] = "empty"
    elif any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        found.skipped[name] = "control characters in its name"
    else:
        found.files[name] = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


@dataclass(slots=True)
class Contents:
    """The SHA-256 of each file by name; those that are `waiting` are being written, or went while they were looked at."""

    hashes: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fingerprints:
    """Reads files once, and again only where their signature has changed."""

    root: Path
    clock: Callable[[], float] = time.time
    _known: dict[str, tuple[Signature, str]] = field(default_factory=dict)
    _seen: dict[str, tuple[Signature, float]] = field(default_factory=dict)

    def read(self, listing: Listing) -> Contents:
        contents = Contents()
        for name, signature in listing.files.items():
            known = self._known.get(name)
            if known is not None and known[0] == signature:
                contents.hashes[name] = known[1]
            elif not self._is_settled(name, signature):
                contents.waiting.add(name)
            else:
                self._hash(name, signature, contents)
        for gone in self._known.keys() - listing.files.keys():
            del self._known[gone]
        self._seen = {name: self._seen[name] for name in contents.waiting if name in self._seen}
        return contents

    def _is_settled(self, name: str, signature: Signature) -> bool:
        """Whether it was changed a while ago by its own times, or by ours: the clock of a share may be another."""
        now = self.clock()
        if now - max(signature[1], signature[2]) / 1e9 >= SETTLE_SECONDS:
            return True
        seen = self._seen.get(name)
        if seen is None or seen[0] != signature:
            self._seen[name] = (signature, now)
            return False
        return now - seen[1] >= SETTLE_SECONDS

    def _hash(self, name: str, signature: Signature, contents: Contents) -> None:
        try:
            with (self.root / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                about = os.fstat(file.fileno())
        except FileNotFoundError:
            contents.waiting.add(name)
            return
        except OSError as error:
            contents.unreadable[name] = error.strerror or "cannot be read"
            return
        if (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino) != signature:
            contents.waiting.add(name)
            return
        self._known[name] = (signature, digest)
        contents.hashes[name] = digest
