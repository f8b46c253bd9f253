"""Pages that may be read by something that costs money, counted by day on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_WAIT_SECONDS = 10.0
_TABLE = "CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, pages INTEGER NOT NULL)"
_ADD = "INSERT INTO spent VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET pages = pages + excluded.pages"


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class PageBudget:
    """At most so many pages a day (UTC), by all processes that have this file."""

    path: Path
    most: int
    today: Callable[[], str] = _today

    def take(self, pages: int) -> bool:
        """Count pages that are about to be read; False, and nothing is counted, if they are too many."""
        day = self.today()
        with self._writing() as connection:
            if _spent(connection, day) + pages > self.most:
                return False
            connection.execute(_ADD, (day, pages))
            return True

    def give_back(self, pages: int) -> None:
        """Count off pages that were not read after all."""
        with self._writing() as connection:
            connection.execute(_ADD, (self.today(), -pages))

    def used(self) -> int:
        """Return the pages of today."""
        with self._writing() as connection:
            return _spent(connection, self.today())

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection, None, None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
            connection.execute(_TABLE)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def _spent(connection: sqlite3.Connection, day: str) -> int:
    row = connection.execute("SELECT pages FROM spent WHERE day = ?", (day,)).fetchone()
    return int(row[0]) if row else 0
