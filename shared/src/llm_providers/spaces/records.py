"""Which pairs of embedding spaces have been compared, and what came of it; kept in a file that all processes share."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_providers.spaces.comparison import Parity
from llm_providers.spaces.fingerprint import Fingerprint

_KEPT = 50


@dataclass(frozen=True)
class Side:
    """A backend, and the space that it had when it was compared."""

    backend: str
    space: Fingerprint


@dataclass(frozen=True)
class ParityRecord:
    """One comparison; `at` in ISO 8601, UTC."""

    a: Side
    b: Side
    parity: Parity
    at: str

    def stand_in(self, space: Fingerprint, backend: str) -> Side | None:
        """Return the side that is `backend`, if the other side is `space`."""
        for one, other in ((self.a, self.b), (self.b, self.a)):
            if other.backend == backend and one.space.differs_from(space) is None:
                return other
        return None


class ParityRecords:
    """The comparisons made, newest last, in parity.json in `folder`; in memory where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "parity.json" if folder is not None else None
        self._seen: tuple[int, int] | None = None
        self._records: list[ParityRecord] = []

    @property
    def durable(self) -> bool:
        return self._path is not None

    def add(self, a: Side, b: Side, parity: Parity) -> ParityRecord:
        """Keep a comparison, in place of an older one of the same two fingerprints; may block for a moment."""
        record = ParityRecord(a, b, parity, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._locked():
            pair = _pair(record)
            self._records = [*(old for old in self.all() if _pair(old) != pair), record][-_KEPT:]
            self._write()
        return record

    def all(self) -> list[ParityRecord]:
        """Return every comparison on record."""
        if self._path is not None:
            try:
                stat = self._path.stat()
            except FileNotFoundError:
                return []
            # The file is only ever replaced whole, so that another inode or time is another content.
            if (seen := (stat.st_ino, stat.st_mtime_ns)) != self._seen:
                self._records = [_read(item) for item in json.loads(self._path.read_text())["records"]]
                self._seen = seen
        return self._records

    def stand_in(self, space: Fingerprint, backend: str) -> Fingerprint | None:
        """Return the space in which `backend` may stand in for `space`: None unless their newest comparison passed."""
        for record in reversed(self.all()):
            if (side := record.stand_in(space, backend)) is not None:
                return side.space if record.parity.passed else None
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump({"records": [_written(record) for record in self._records]}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def _pair(record: ParityRecord) -> frozenset[tuple[str, str]]:
    return frozenset((side.backend, side.space.digest) for side in (record.a, record.b))


def _written(record: ParityRecord) -> dict[str, Any]:
    def side(found: Side) -> dict[str, Any]:
        return {"backend": found.backend, "digest": found.space.digest, "space": json.loads(found.space.to_json())}

    measured = {**asdict(record.parity), "passed": record.parity.passed}
    return {"a": side(record.a), "b": side(record.b), **measured, "at": record.at}


def _read(item: dict[str, Any]) -> ParityRecord:
    def side(found: dict[str, Any]) -> Side:
        return Side(found["backend"], Fingerprint.from_json(json.dumps(found["space"])))

    first, second = item["dimensions"]
    parity = Parity(item["cosine"], item["rank_agreement"], (first, second), item["mean_cosine"], item["samples"])
    return ParityRecord(side(item["a"]), side(item["b"]), parity, item["at"])
