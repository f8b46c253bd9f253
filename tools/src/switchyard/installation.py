"""An installation without Docker: the folder with its data, the address at which it answers, and its admin key.

Needs the standard library of Python 3.9 and nothing else, as `switchyard.stack` does.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DATA, DEMO = Path("data"), Path("data/demo")
FOLDERS = (DATA, DEMO)
"""Where `make up-embedded` and `make demo` keep their data, below the checkout."""
FIRST_KEY = Path("auth/first-key")
"""The file with the admin key that the first start made, below the data folder; the same in Docker, below /data."""
_ADDRESS = "address"
_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """An all-in-one process that answers at `url` and keeps its data in `folder`."""

    folder: Path
    url: str


def running(folders: Sequence[Path] = FOLDERS) -> Running | None:
    """Return the first of `folders` whose process answers; None if none does."""
    for folder in folders:
        try:
            url = (folder / _ADDRESS).read_text(encoding="utf-8").strip()
            where = urlsplit(url)
            socket.create_connection((where.hostname or "", where.port or 80), _SECONDS).close()
        except (OSError, ValueError):
            continue
        return Running(folder, url)
    return None


@contextmanager
def announced(folder: Path, url: str) -> Iterator[None]:
    """Say in `folder` at which address its process answers, during the block."""
    path = folder / _ADDRESS
    path.write_text(f"{url}\n", encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def first_key(folder: Path) -> str:
    """Return the admin key that the first start made; empty if there is none. Raises OSError if it can't be read."""
    try:
        return (folder / FIRST_KEY).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
