"""The log as it is read: acts with how they ended, filtered; its chains checked; both as tables."""

from __future__ import annotations

import csv
import heapq
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service_kit.audit.chain import Head, chain_files, chain_names, read_head
from service_kit.audit.entries import GENESIS, INTENT, OUTCOME, REMOVED, REPAIRED, Broken, Entry, Fields, decode

_COLUMNS = (
    "time", "chain", "seq", "act", "key", "name", "address", "target", "status", "problem", "outcome", "count", "request_id",
    "question_sha256", "question_length", "question_text",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which acts: since a time (RFC 3339), of a key, name or address, and of a kind such as `document` or `document.delete`."""

    since: str | None = None
    who: str | None = None
    what: str | None = None

    def __call__(self, fields: Fields) -> bool:
        who, act = fields.get("who", {}), str(fields.get("act", ""))
        return (
            (self.since is None or str(fields.get("time", "")) >= self.since)
            and (self.who is None or self.who in who.values())
            and (self.what is None or act == self.what or act.startswith(f"{self.what}."))
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is not as it was written, and how."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Unfinished(Broken):
    """A last line without an end."""


@dataclass(frozen=True, slots=True)
class Checked:
    chain: str
    entries: int
    head: str
    faults: list[Fault]


def utc(moment: datetime) -> str:
    """Return a time as it stands in entries, so that the two can be compared."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def acts(folder: Path, wanted: Filter, limit: int | None = None) -> list[Fields]:
    """Return acts, newest first, each with how it ended; `limit` is the most of them. Reads files as far back as it must."""
    chains = (_chain_acts(folder, name, wanted) for name in chain_names(folder))
    merged = heapq.merge(*chains, key=lambda fields: str(fields["time"]), reverse=True)
    return [fields for _, fields in zip(range(limit) if limit is not None else iter(int, 1), merged, strict=False)]


def _chain_acts(folder: Path, name: str, wanted: Filter) -> Iterator[Fields]:
    outcomes: dict[str, Fields] = {}
    for path in reversed(chain_files(folder, name)):
        for _, entry in reversed(list(_entries(path))):
            if isinstance(entry, Broken):
                continue
            fields = {"chain": name, **entry.fields}
            if wanted.since is not None and str(fields["time"]) < wanted.since and not outcomes:
                return
            if fields.get("phase") == OUTCOME:
                outcomes[fields["id"]] = fields
                continue
            if fields.get("phase") == INTENT:
                ended = outcomes.pop(fields["id"], {"outcome": "under way"})
                fields = {**fields, **{k: v for k, v in ended.items() if k not in ("time", "seq", "previous", "hash")}}
            if wanted(fields):
                yield {k: v for k, v in fields.items() if k not in ("phase", "id", "previous")}


def _entries(path: Path) -> Iterator[tuple[int, Entry | Broken]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        # Retention was faster.
        return
    if lines[-1] == b"":
        lines.pop()
        whole = len(lines)
    else:
        whole = len(lines) - 1
    for number, line in enumerate(lines, 1):
        try:
            yield number, decode(line) if number <= whole else Unfinished("it is cut off")
        except Broken as error:
            yield number, error


def verify(folder: Path, anchors: Iterable[str] = ()) -> list[Checked]:
    """Check every chain; `anchors` are hashes noted earlier, which must be in one of them."""
    missing = set(anchors)
    checked = [_verify(folder, name, missing) for name in chain_names(folder)]
    if missing:
        faults = [Fault(anchor, "no entry has this hash any more") for anchor in sorted(missing)]
        checked.append(Checked("anchors", 0, "", faults))
    return checked


def _verify(folder: Path, name: str, missing: set[str]) -> Checked:
    # First, as the log may grow meanwhile.
    head = read_head(folder, name)
    faults: list[Fault] = []
    last: Head | None = None
    begins_at: tuple[str, str] | None = None
    removed_ends: set[str | None] = set()
    seen: dict[int, str] = {}
    for path in chain_files(folder, name):
        for number, entry in _entries(path):
            place = f"{path.name} line {number}"
            if isinstance(entry, Unfinished) and (head is None or head.seq <= (last.seq if last else 0)):
                # A write that is under way, or was interrupted: nobody was told that it was done.
                continue
            if isinstance(entry, Broken):
                faults.append(Fault(place, str(entry)))
                # What follows is compared with the next that can be read.
                last = None if last is None else Head(last.seq + 1, "")
                continue
            missing.discard(entry.hash)
            if entry.fields["act"] == REMOVED:
                removed_ends.add(entry.fields["end"])
            if entry.fields["act"] == REPAIRED and (told := _repair(entry.fields)) is not None:
                faults.append(Fault(place, told))
            if last is None and not seen:
                begins_at = (place, entry.previous)
            elif last is not None and (fault := _step(last, entry, seen)) is not None:
                faults.append(Fault(place, fault))
            seen[entry.seq] = place
            last = Head(entry.seq, entry.hash)
    if begins_at is not None and begins_at[1] != GENESIS and begins_at[1] not in removed_ends:
        faults.append(Fault(begins_at[0], "what was before it is missing, and no entry says that it was deleted"))
    if head is not None and head.seq > (last.seq if last else 0):
        begin = last.seq + 1 if last else 1
        faults.append(Fault(name, f"the end is missing: entries {begin} to {head.seq}"))
    elif head is not None and last is not None and head.seq == last.seq and last.hash not in ("", head.hash):
        faults.append(Fault(name, "the last entry is not the one that was written"))
    elif head is None and last is not None:
        faults.append(Fault(name, f"{name}.head is missing, so that a missing end would not be seen"))
    return Checked(name, len(seen), last.hash if last else "", faults)


def _step(last: Head, entry: Entry, seen: dict[int, str]) -> str | None:
    """Return what is wrong between two entries; None if the second follows the first."""
    if entry.seq == last.seq + 1:
        if last.hash in ("", entry.previous):
            return None
        return f"entry {entry.seq} does not follow the one before: that was changed or inserted"
    if entry.seq in seen:
        return f"entry {entry.seq} is there twice, first in {seen[entry.seq]}: inserted"
    if entry.seq < last.seq:
        return f"entry {entry.seq} comes after {last.seq}: reordered"
    return f"entries {last.seq + 1} to {entry.seq - 1} are not where they belong: removed or reordered"


def _repair(fields: Fields) -> str | None:
    """Return what a start has found wrong; None for a write that was interrupted, of which nothing was missing."""
    expected, found = fields["expected_seq"], fields["found_seq"]
    if expected is None or expected < found or (expected == found and fields["cut_bytes"]):
        return None
    if expected > found:
        return f"at a start, entries {found + 1} to {expected} were missing"
    return "at a start, the last entry was not the one that was written"


def as_csv(found: Iterable[Fields]) -> str:
    """Return acts as a table (RFC 4180) in which no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for fields in found:
        who, question = fields.get("who", {}), fields.get("question", {})
        flat = {**fields, **who, **{f"question_{key}": value for key, value in question.items()}}
        writer.writerow([_cell(flat.get(column)) for column in _COLUMNS])
    return out.getvalue()


def _cell(value: object) -> object:
    """Keep a spreadsheet from calculating a text (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value


def outcome_of(fields: Fields) -> str:
    """Return how an act ended, in a few words."""
    if (outcome := fields.get("outcome")) is not None:
        return str(outcome)
    words = [str(fields[name]) for name in ("status", "problem") if fields.get(name) is not None]
    return " ".join(words) or "-"
