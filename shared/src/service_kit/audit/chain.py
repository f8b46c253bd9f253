"""One chain of entries, in files that follow each other; one process at a time holds and writes it.

Its files are `NAME.000001.jsonl` and so on. `NAME.head` says how far it goes, so that a missing end is seen. `NAME.lock` is held
by the process that writes, and let go by the kernel when that dies: the next one closes what was left open.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import time

from service_kit.audit.entries import (
    ENDED,
    GENESIS,
    INTENT,
    OPENED,
    OUTCOME,
    REMOVED,
    REPAIRED,
    Broken,
    Entry,
    Fields,
    decode,
    encode,
    now,
)

_DAY = 86_400
_MAX_REPLICAS = 1000


@dataclass(frozen=True, slots=True)
class Retention:
    """How large a file gets, and how long files are kept."""

    file_bytes: int
    keep_days: int
    keep_bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    seq: int
    hash: str


def read_head(folder: Path, name: str) -> Head | None:
    """Return how far a chain goes, as its writer says; None if it has not said anything."""
    try:
        seq, digest = (folder / f"{name}.head").read_text().split()
        return Head(int(seq), digest)
    except (FileNotFoundError, ValueError):
        return None


def chain_files(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}.*.jsonl"))


def chain_names(folder: Path, service: str = "*") -> list[str]:
    """Return the chains that lie in a folder, by their files or by what is left of them."""
    found = [*folder.glob(f"{service}.*.jsonl"), *folder.glob(f"{service}.head")]
    return sorted({path.name.split(".")[0] for path in found})


class Chain:
    """A chain that this process writes; raises OSError where it can't."""

    def __init__(self, folder: Path, name: str, retention: Retention, lock: int) -> None:
        self.name = name
        self._folder, self._retention, self._lock = folder, retention, lock
        self._file = self._head = -1
        self._size, self._number, self._day = 0, 0, ""
        self._last = Head(0, GENESIS)
        self._open: dict[str, Fields] = {}
        """What was begun and has not ended, by its id."""
        self._recover()

    @classmethod
    def acquire(cls, folder: Path, service: str, retention: Retention, *, wait: bool = False) -> Chain:
        """Open the first chain of `service` that no process holds, and close what dead ones left open in the others.

        With `wait` there is only one, which is waited for.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mine = None
        known = {name.rpartition("-")[2] for name in chain_names(folder, f"{service}-*")}
        for number in range(1, _MAX_REPLICAS):
            name = f"{service}-{number}"
            if mine is not None and str(number) not in known:
                break
            lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            chain = cls(folder, name, retention, lock)
            if mine is None:
                mine = chain
            else:
                chain.close()
            if wait:
                break
        if mine is None:
            raise OSError(f"all {_MAX_REPLICAS} audit logs of {service} are in use")
        return mine

    def append(self, entries: Sequence[Fields], *, durable: bool) -> None:
        """Write entries in one go; with `durable` they outlive a loss of power too. Either all are written or none."""
        if self._size >= self._retention.file_bytes or (self._size and _today() != self._day):
            self._begin_file()
        self._write(entries)
        if durable:
            self.sync()

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        for descriptor in (self._file, self._head):
            if descriptor >= 0:
                os.fsync(descriptor)
                os.close(descriptor)
        os.close(self._lock)

    def _write(self, entries: Sequence[Fields]) -> None:
        lines, last = [], self._last
        for fields in entries:
            line, digest = encode(fields, last.seq + 1, last.hash)
            lines.append(line)
            last = Head(last.seq + 1, digest)
        data = b"".join(lines)
        try:
            written = os.write(self._file, data)
            if written != len(data):
                os.write(self._file, data[written:])
            # After the entries: whoever reads the head first finds at least as many.
            os.pwrite(self._head, f"{last.seq:020d} {last.hash}\n".encode(), 0)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self._last = last
        for fields in entries:
            self._follow(fields)

    def _follow(self, fields: Fields) -> None:
        if fields.get("phase") == INTENT:
            self._open[fields["id"]] = fields
        elif fields.get("phase") == OUTCOME:
            self._open.pop(fields["id"], None)
        elif fields["act"] == OPENED:
            self._open = {intent["id"]: intent for intent in fields["open"]}

    def _recover(self) -> None:
        """Go on where the last process stopped: cut off a line that is not whole, and close what it left open."""
        files = chain_files(self._folder, self.name)
        self._number = _number(files[-1]) if files else 0
        self._head = os.open(self._folder / f"{self.name}.head", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        head = read_head(self._folder, self.name)
        cut = b""
        for path in reversed(files):
            whole, rest = _whole_lines(path)
            cut = cut or rest
            if whole:
                break
        if not files:
            self._begin_file()
        else:
            for entry in _readable(whole):
                self._follow(entry.content)
                self._last = Head(entry.seq, entry.hash)
            self._file = os.open(files[-1], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._size = files[-1].stat().st_size - len(cut)
            if cut:
                os.ftruncate(self._file, self._size)
            self._day = datetime.fromtimestamp(files[-1].stat().st_mtime, UTC).date().isoformat()
        repaired: list[Fields] = []
        if cut or (head is not None and head.seq >= self._last.seq and head != self._last):
            # Told, not mended: `verify` goes on reporting it.
            repaired.append(
                {
                    **_own(REPAIRED),
                    "cut_bytes": len(cut),
                    "cut_sha256": sha256(cut).hexdigest(),
                    "expected_seq": head.seq if head else None,
                    "found_seq": self._last.seq,
                }
            )
        closing = [
            {**intent, "time": now(), "phase": OUTCOME, "outcome": ENDED, "status": None}
            for intent in self._open.values()
        ]
        if repaired or closing:
            self.append([*repaired, *closing], durable=True)
        self._remove_old()

    def _begin_file(self) -> None:
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
        self._number += 1
        path = self._folder / f"{self.name}.{self._number:06d}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size, self._day = 0, _today()
        _sync_folder(self._folder)
        self._write([{**_own(OPENED), "file": path.name, "open": list(self._open.values())}])
        self._remove_old()

    def _remove_old(self) -> None:
        """Remove files that are too old, or too many; the entry that says so comes first."""
        *closed, _ = chain_files(self._folder, self.name)
        sizes = {path: path.stat().st_size for path in closed}
        oldest = time() - self._retention.keep_days * _DAY
        total = sum(sizes.values())
        removed = []
        for path in closed:
            if path.stat().st_mtime >= oldest and total <= self._retention.keep_bytes:
                break
            total -= sizes[path]
            removed.append(path)
        if not removed:
            return
        last = list(_readable(_whole_lines(removed[-1])[0]))[-1:]
        end = last[0].hash if last else None
        self._write([{**_own(REMOVED), "files": [path.name for path in removed], "end": end}])
        os.fsync(self._file)
        for path in removed:
            path.unlink()


def _own(act: str) -> Fields:
    return {"time": now(), "act": act, "who": {"key": "audit"}}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _number(path: Path) -> int:
    return int(path.name.split(".")[-2])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_lines(path: Path) -> tuple[list[bytes], bytes]:
    """Return the lines of a file, and what comes after its last line's end."""
    *lines, rest = path.read_bytes().split(b"\n")
    return lines, rest


def _readable(lines: Sequence[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            yield decode(line)
        except Broken:
            continue
