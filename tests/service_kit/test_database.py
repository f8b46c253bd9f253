"""One SQLite file and many writers, in this process and in another."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from service_kit.database import Database, DatabaseUnavailable
from service_kit.errors import StorageUnavailable
from service_kit.problems import problem, response

_HOLD_THE_WRITE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in which nobody waits for SQLite's own lock."""
    opened = Database.open(f"sqlite:///{tmp_path / 'rows.db'}")

    @event.listens_for(opened.engine.sync_engine, "connect")
    def fail_at_once(connection: object, _: object) -> None:
        connection.cursor().execute("PRAGMA busy_timeout=0")  # type: ignore[attr-defined]

    await write(opened, "CREATE TABLE rows (number INTEGER)")
    yield opened
    await opened.aclose()


async def write(database: Database, *statements: str) -> None:
    async with database.writing() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_a_hundred_writers_at_once_all_succeed(database: Database) -> None:
    await asyncio.gather(*(write(database, f"INSERT INTO rows VALUES ({number})") for number in range(100)))
    async with database.reading() as session:
        assert await session.scalar(text("SELECT count(DISTINCT number) FROM rows")) == 100


async def test_a_database_locked_by_another_process_is_to_be_tried_again(database: Database, tmp_path: Path) -> None:
    command = (sys.executable, "-c", _HOLD_THE_WRITE_LOCK, str(tmp_path / "rows.db"))
    holder = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseUnavailable) as caught:
            await write(database, "INSERT INTO rows VALUES (1)")
        answer = response(problem(caught.value))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    finally:
        holder.stdin.close()
        await holder.wait()
    await write(database, "INSERT INTO rows VALUES (1)")


async def test_only_a_failing_disk_is_a_storage_failure(database: Database) -> None:
    with pytest.raises(OperationalError, match="no such table") as missing:
        await write(database, "INSERT INTO other VALUES (1)")
    assert problem(missing.value)["status"] == 500
    with pytest.raises(StorageUnavailable, match="free some space"):
        await write(database, "PRAGMA query_only = ON", "INSERT INTO rows VALUES (1)")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR_SHMLOCK])
async def test_a_lock_that_others_have_is_no_full_disk(database: Database, code: int) -> None:
    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("locking")
        error.sqlite_errorcode = code
        raise OperationalError("INSERT", {}, error)

    with pytest.raises(DatabaseUnavailable) as caught:
        await write(database, "INSERT INTO rows VALUES (1)")
    assert response(problem(caught.value)).headers["retry-after"] == "2"


_WITHOUT_FREE_FILES = """
import asyncio, os, resource, sys
from service_kit.database import Database, DatabaseUnavailable
from service_kit.problems import problem

async def main(url):
    database = Database.open(url)
    await database.check()
    await database.aclose()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.dup(2))
    except OSError as error:
        shown = problem(error)
    try:
        await database.check()
    except DatabaseUnavailable as error:
        os.close(held.pop())
        print(shown["status"], shown["retry_after"], problem(error)["status"])

asyncio.run(main(sys.argv[1]))
"""


async def test_too_many_open_files_are_no_full_disk(database: Database, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WITHOUT_FREE_FILES, url, stdout=PIPE, stderr=PIPE
    )
    said, errors = await process.communicate()
    assert said.decode().split() == ["503", "2", "503"], errors.decode()[-2000:]
