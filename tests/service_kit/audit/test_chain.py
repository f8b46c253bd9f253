"""The chain: what is written follows what was, and every way to meddle with it is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service_kit.audit.chain import Chain, Retention
from service_kit.audit.entries import ENDED, encode
from service_kit.audit.reading import Filter, acts, verify

LARGE = Retention(file_bytes=1_000_000, keep_days=10, keep_bytes=1_000_000)


def act(number: int, **more: Any) -> dict[str, Any]:
    return {"time": f"2026-01-01T00:00:{number:02d}.000Z", "act": "test", "who": {"key": "k"}, "number": number, **more}


def write(folder: Path, numbers: range, retention: Retention = LARGE) -> None:
    chain = Chain.acquire(folder, "svc", retention)
    for number in numbers:
        chain.append([act(number)], durable=False)
    chain.close()


def faults(folder: Path) -> list[str]:
    return [str(fault) for chain in verify(folder) for fault in chain.faults]


def test_a_chain_goes_on_over_restarts_and_files(tmp_path: Path) -> None:
    for start in (0, 10, 20):
        write(tmp_path, range(start, start + 10), Retention(1_000, 10, 1_000_000))
    assert len(list(tmp_path.glob("svc-1.*.jsonl"))) > 3
    assert faults(tmp_path) == []
    assert [f["number"] for f in acts(tmp_path, Filter(what="test"))] == list(range(29, -1, -1))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def _changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[4].replace(b'"k"', b'"x"'), *lines[5:]]


def _rewritten(lines: list[bytes]) -> list[bytes]:
    """A line that is whole in itself, which the next one betrays."""
    forged, _ = encode(act(99), 5, lines[3][-67:-3].decode())
    return [*lines[:4], forged, *lines[5:]]


def _inserted(lines: list[bytes]) -> list[bytes]:
    forged, _ = encode(act(99), 5, lines[3][-67:-3].decode())
    return [*lines[:4], forged, *lines[4:]]


@pytest.mark.parametrize(
    ("meddle", "place", "words"),
    [
        (_changed, "line 5", "it was changed"),
        (_rewritten, "line 6", "changed or inserted"),
        (_inserted, "line 6", "inserted"),
        (lambda lines: [*lines[:4], *lines[5:]], "line 5", "removed"),
        (lambda lines: lines[2:], "line 1", "what was before it is missing"),
        (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "line 6", "reordered"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], "line 6", "inserted"),
        (lambda lines: lines[:-2], "svc-1", "the end is missing: entries 10 to 11"),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "line 11", "cut off"),
        (lambda lines: [*lines[:-1], encode(act(99), 11, lines[-2][-67:-3].decode())[0]], "svc-1", "the last entry"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], "line 4", "no entry"),
    ],
)
def test_meddling_is_found(
    tmp_path: Path, meddle: Callable[[list[bytes]], list[bytes]], place: str, words: str
) -> None:
    write(tmp_path, range(10))
    file = tmp_path / "svc-1.000001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    assert faults(tmp_path) == []
    file.write_bytes(b"".join(meddle(lines)))
    found = faults(tmp_path)
    assert any(place in fault and words in fault for fault in found), found
    # A restart hides nothing.
    write(tmp_path, range(1))
    assert faults(tmp_path)


def test_a_whole_file_that_is_missing_is_found(tmp_path: Path) -> None:
    write(tmp_path, range(30), Retention(1_000, 10, 1_000_000))
    for victim in sorted(tmp_path.glob("*.jsonl"))[1:2]:
        victim.unlink()
    assert any("removed" in fault for fault in faults(tmp_path))
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    assert any("the end is missing" in fault for fault in faults(tmp_path))


def test_old_files_go_and_the_log_says_so(tmp_path: Path) -> None:
    small = Retention(file_bytes=1_000, keep_days=10, keep_bytes=3_000)
    write(tmp_path, range(60), small)
    left = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert "svc-1.000001.jsonl" not in left
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) < 6_000
    assert faults(tmp_path) == []
    assert acts(tmp_path, Filter(what="audit.removed"))
    # One more than the log has said.
    (tmp_path / left[0]).unlink()
    assert any("no entry says that it was deleted" in fault for fault in faults(tmp_path))


def test_files_older_than_the_days_that_are_kept_go(tmp_path: Path) -> None:
    write(tmp_path, range(20), Retention(1_000, 10, 1_000_000))
    oldest = min(tmp_path.glob("*.jsonl"))
    os.utime(oldest, (0, 0))
    write(tmp_path, range(1))
    assert not oldest.exists()
    assert faults(tmp_path) == []


def test_a_day_begins_a_file(tmp_path: Path) -> None:
    write(tmp_path, range(1))
    os.utime(tmp_path / "svc-1.000001.jsonl", (86_400, 86_400))
    write(tmp_path, range(1), Retention(1_000_000, 100_000, 1_000_000))
    assert (tmp_path / "svc-1.000002.jsonl").exists()
    assert faults(tmp_path) == []


def test_what_a_dead_process_left_open_is_closed_even_from_an_earlier_file(tmp_path: Path) -> None:
    chain = Chain.acquire(tmp_path, "svc", Retention(1_000, 10, 1_000_000))
    chain.append([act(1, phase="intent", id="a"), act(2, phase="intent", id="b")], durable=True)
    for number in range(3, 20):
        chain.append([act(number)], durable=False)
    chain.append([{**act(20, phase="outcome", id="b", status=200), "number": 2}], durable=True)
    chain.close()
    write(tmp_path, range(0))
    found = {f["number"]: f.get("outcome") for f in acts(tmp_path, Filter(what="test"))}
    assert (found[1], found[2]) == (ENDED, None)
    assert faults(tmp_path) == []


def test_replicas_have_a_chain_each_and_the_next_closes_all(tmp_path: Path) -> None:
    first, second = (Chain.acquire(tmp_path, "svc", LARGE) for _ in range(2))
    assert (first.name, second.name) == ("svc-1", "svc-2")
    second.append([act(1, phase="intent", id="a")], durable=True)
    first.close()
    second.close()
    Chain.acquire(tmp_path, "svc", LARGE).close()
    assert [f["outcome"] for f in acts(tmp_path, Filter(what="test"))] == [ENDED]
    assert faults(tmp_path) == []


def test_a_hash_that_was_noted_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path, range(3))
    noted = verify(tmp_path)[0].head
    write(tmp_path, range(3))
    assert all(not chain.faults for chain in verify(tmp_path, [noted]))
    for path in tmp_path.iterdir():
        path.unlink()
    write(tmp_path, range(5))
    assert [str(fault) for chain in verify(tmp_path, [noted]) for fault in chain.faults] == [
        f"{noted}: no entry has this hash any more"
    ]


def test_an_interrupted_write_is_no_meddling(tmp_path: Path) -> None:
    """A process that is killed may leave part of a line: `write` stops between pages."""
    write(tmp_path, range(3))
    file = tmp_path / "svc-1.000001.jsonl"
    with file.open("ab") as log:
        log.write(b'{"seq":5,"time":"2026')
    assert faults(tmp_path) == []
    write(tmp_path, range(3))
    assert faults(tmp_path) == []
    assert acts(tmp_path, Filter(what="audit.repaired"))
    assert len(acts(tmp_path, Filter(what="test"))) == 6
