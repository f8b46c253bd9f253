"""Reads what the machine's own tools print."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

GPU_QUERY = "index,uuid,name,memory.total,memory.free,driver_version,compute_cap"
_MIB = 1 << 20
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Gpu:
    """A card as `nvidia-smi` tells of it; bytes, and None for what it does not tell (unified memory)."""

    index: str
    uuid: str
    name: str
    total: int | None
    free: int | None
    driver: str
    compute: tuple[int, ...]


@dataclass(frozen=True)
class Memory:
    """Of the machine, in bytes."""

    total: int
    available: int


def gpus(text: str) -> tuple[Gpu, ...]:
    """Read `nvidia-smi --query-gpu=GPU_QUERY --format=csv,noheader,nounits`; lines of another form are passed over."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    return tuple(
        Gpu(row[0], row[1], row[2], _mebibytes(row[3]), _mebibytes(row[4]), row[5], version(row[6]))
        for row in rows
        if len(row) == len(GPU_QUERY.split(",")) and row[0].isdigit()
    )


def _mebibytes(text: str) -> int | None:
    return int(text) * _MIB if text.isdigit() else None


def memory(text: str) -> Memory | None:
    """Read `/proc/meminfo`; None where it is not that."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    if not {"MemTotal", "MemAvailable"} <= set(found):
        return None
    return Memory(int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024)


def version(text: str) -> tuple[int, ...]:
    """The first dotted number in `text`: `Docker Compose version v2.26.1-4` is (2, 26, 1); () if there is none."""
    matched = _NUMBERS.search(text)
    return tuple(int(part) for part in matched.group().split(".")) if matched else ()


def setting_names(text: str) -> frozenset[str]:
    """The names that a `.env.example` knows, those in comments too."""
    return frozenset(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
