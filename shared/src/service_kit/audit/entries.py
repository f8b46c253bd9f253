"""Entries as lines: one JSON object each, with the hash of the one before and its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeAlias

GENESIS = "0" * 64
"""Stands for the hash of what is before the first entry."""
INTENT, OUTCOME = "intent", "outcome"
ENDED = "unknown: the process ended"
REMOVED, OPENED, REPAIRED, LOST = "audit.removed", "audit.opened", "audit.repaired", "audit.lost"
"""Acts of the log itself: old files are removed, a file begins, a broken end is cut off, entries could not be written."""

Fields: TypeAlias = dict[str, Any]
_PLACE = ("seq", "previous", "hash")
_HASH_START = b',"hash":"'
_TAIL = len(_HASH_START) + 64 + len(b'"}')


class Broken(ValueError):
    """A line is no entry, or not as it was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    fields: Fields
    hash: str

    @property
    def seq(self) -> int:
        return int(self.fields["seq"])

    @property
    def content(self) -> Fields:
        """What it says, without its place in the chain."""
        return {name: value for name, value in self.fields.items() if name not in _PLACE}

    @property
    def previous(self) -> str:
        return str(self.fields["previous"])


def now() -> str:
    """Return the time in UTC (RFC 3339)."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(fields: Fields, seq: int, previous: str) -> tuple[bytes, str]:
    """Return the line of an entry, and its hash: SHA-256 over the line without it."""
    body = json.dumps({"seq": seq, **fields, "previous": previous}, separators=(",", ":"), default=str).encode()
    digest = sha256(body).hexdigest()
    return body[:-1] + _HASH_START + digest.encode() + b'"}\n', digest


def decode(line: bytes) -> Entry:
    """Read a line without its end; raises `Broken`."""
    tail = line[-_TAIL:]
    if not (tail.startswith(_HASH_START) and tail.endswith(b'"}')):
        raise Broken("it is no entry")
    body, said = line[:-_TAIL] + b"}", tail[len(_HASH_START) : -2].decode(errors="replace")
    if sha256(body).hexdigest() != said:
        raise Broken("it was changed")
    try:
        return Entry({**json.loads(body), "hash": said}, said)
    except ValueError as error:
        raise Broken("it is no entry") from error
