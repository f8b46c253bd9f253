"""The SQL database of a service: an async engine, its sessions, and Alembic migrations at start.

SQLite and PostgreSQL behave alike: one writer at a time, and readers that see one snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path
from zlib import crc32

from sqlalchemy import Connection, Engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

from service_kit.errors import StorageUnavailable, UpstreamUnavailable
from service_kit.storage_faults import sqlite_busy, sqlite_code, storage_fails, storage_unavailable

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_LOCK_SPACE = crc32(b"switchyard writers") - 2**31
_CONNECT_SECONDS = 5
_BUSY = "the database is busy; nothing of this request was kept"
_WRITER_SECONDS = 30
"""Longest wait for the other writers."""
_POSTGRES_SESSION = {
    # A writer that hangs delays the others for a limited time.
    "lock_timeout": f"{_WRITER_SECONDS}s",
    "idle_in_transaction_session_timeout": "60s",
}


class DatabaseUnavailable(UpstreamUnavailable):
    """The database does not answer or is busy; what was being written was not kept, and may be tried again."""

    type = "database-unavailable"


@contextmanager
def translated_errors() -> Generator[None, None, None]:
    """Raise `DatabaseUnavailable` or `StorageUnavailable` for what is no fault of the statement."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as error:
        if storage_fails(error):
            raise storage_unavailable() from error
        if sqlite_busy(error) or isinstance(error, PoolTimeoutError):
            raise DatabaseUnavailable(_BUSY, retry_after=2) from error
        if sqlite_code(error) is None and (
            isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        ):
            raise DatabaseUnavailable(
                "the database does not answer; nothing of this request was kept", retry_after=2
            ) from error
        raise


class Database:
    """One database; `writing()` commits when its block ends well, `reading()` sees one snapshot and changes nothing.

    Both raise `DatabaseUnavailable` while the database is away or busy, and `StorageUnavailable` if SQLite's disk fails.
    """

    def __init__(self, engine: AsyncEngine, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema
        # The database lets one writer in at a time, SQLite by polling and in no order: here each waits for its turn.
        self._turn = asyncio.Lock()
        self._writers = async_sessionmaker(engine, expire_on_commit=False)
        snapshot = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._readers = async_sessionmaker(engine.execution_options(reading=True, **snapshot), expire_on_commit=False)

    @classmethod
    def open(cls, url: str, schema: str = "public") -> Database:
        """Connect lazily to `url`: `sqlite:///FILE` or `postgresql://…`, there with the tables in `schema`."""
        parsed = make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        if parsed.get_backend_name() == "sqlite":
            engine = create_async_engine(parsed)
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            return cls(engine)
        engine = create_async_engine(
            parsed, pool_pre_ping=True, pool_timeout=10, connect_args={"connect_timeout": _CONNECT_SECONDS}
        )
        _prepare_postgres(engine.sync_engine, schema)
        return cls(engine, schema)

    @classmethod
    def beside(cls, data_dir: Path, name: str, url: str | None) -> Database:
        """Open the schema `name` at `url`, or else the SQLite file `name`.db in `data_dir`; raises `StorageUnavailable`."""
        if url is not None:
            return cls.open(url, name)
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnavailable(f"the data folder {data_dir} cannot be created: {error.strerror}") from error
        return cls.open(f"sqlite:///{data_dir.resolve() / f'{name}.db'}")

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncSession, None]:
        try:
            async with asyncio.timeout(_WRITER_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable(_BUSY, retry_after=2) from error
        try:
            with translated_errors():
                async with self._writers.begin() as session:
                    yield session
        finally:
            self._turn.release()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession, None]:
        with translated_errors():
            async with self._readers() as session:
                yield session

    async def check(self) -> None:
        """Raise unless the database answers."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def migrate(self, package: str) -> None:
        """Bring the schema up to the head of the Alembic scripts in `package`.migrations; one process at a time does so."""
        async with self.engine.begin() as connection:
            if self.schema is not None:
                await connection.execute(CreateSchema(self.schema, if_not_exists=True))
            if await connection.run_sync(_revision) != _head(package):
                await connection.run_sync(lambda sync: _upgrade(package, sync))

    async def aclose(self) -> None:
        await self.engine.dispose()


def _revision(connection: Connection) -> str | None:
    """Return the schema's Alembic revision, None if it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _head(package: str) -> str:
    """Return the newest revision: our scripts are named REVISION_what.py, in ascending order."""
    scripts = files(f"{package}.migrations").joinpath("versions").iterdir()
    return max(name for script in scripts if (name := script.name)[:1].isdigit()).split("_")[0]


def _upgrade(package: str, connection: Connection) -> None:
    # Imported here, because it takes a third of a second that a start with nothing to migrate can save.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _prepare_sqlite(connection: object, _: ConnectionPoolEntry) -> None:
    # We begin transactions ourselves (_begin_sqlite); the driver would begin them late, and as readers.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: a reader that turns writer would fail instead of wait for the other one,
    # https://www.sqlite.org/isolation.html
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_postgres(engine: Engine, schema: str) -> None:
    """Give each service a schema of its own, so that all may share one database, and let one writer in at a time."""
    from psycopg.types.string import StrDumper

    class WithoutNul(StrDumper):
        """Removes NUL characters, which PostgreSQL does not accept in text."""

        def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
            return super().dump(obj.replace("\x00", "") if "\x00" in obj else obj)

    key = crc32(schema.encode()) - 2**31

    def connected(connection: object, _: ConnectionPoolEntry) -> None:
        connection.driver_connection.adapters.register_dumper(str, WithoutNul)  # type: ignore[attr-defined]
        connection.autocommit = True  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for name, value in (*_POSTGRES_SESSION.items(), ("search_path", f'"{schema}"')):
            cursor.execute(f"SET {name} = {value if name == 'search_path' else repr(value)}")
        cursor.close()
        connection.autocommit = False  # type: ignore[attr-defined]

    def begun(connection: Connection) -> None:
        # As with SQLite's BEGIN IMMEDIATE, no other writer changes what this one has read.
        if not connection.get_execution_options().get("reading", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, {key})")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
