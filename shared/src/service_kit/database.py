"""SQL for a service: an async engine, its sessions, and Alembic migrations run at start."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from service_kit.errors import StorageUnavailable

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Database:
    """One database; `writing()` commits when its block ends well, `reading()` sees one moment and changes nothing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writers = async_sessionmaker(engine, expire_on_commit=False)
        self._readers = async_sessionmaker(engine.execution_options(reading=True), expire_on_commit=False)

    @classmethod
    def open(cls, url: str) -> Database:
        """Connect lazily to `url`: `sqlite:///FILE` or `postgresql://…`."""
        parsed = make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        if parsed.get_backend_name() != "sqlite":
            return cls(create_async_engine(parsed, pool_pre_ping=True))
        engine = create_async_engine(parsed)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return cls(engine)

    @classmethod
    def beside(cls, data_dir: Path, name: str, url: str | None) -> Database:
        """Open `url`, or else the SQLite file `name`.db in `data_dir`; raises `StorageUnavailable`."""
        if url is None:
            try:
                data_dir.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageUnavailable(f"the data folder {data_dir} cannot be made: {error.strerror}") from error
            url = f"sqlite:///{data_dir.resolve() / f'{name}.db'}"
        return cls.open(url)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncSession, None]:
        async with self._writers.begin() as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession, None]:
        async with self._readers() as session:
            yield session

    async def check(self) -> None:
        """Raise unless the database answers."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def migrate(self, package: str) -> None:
        """Bring the schema up to the head of the Alembic scripts in `package`.migrations."""
        config = Config()
        config.set_main_option("script_location", f"{package}:migrations")
        async with self.engine.begin() as connection:
            await connection.run_sync(lambda sync: _upgrade(config, sync))

    async def aclose(self) -> None:
        await self.engine.dispose()


def _upgrade(config: Config, connection: object) -> None:
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
