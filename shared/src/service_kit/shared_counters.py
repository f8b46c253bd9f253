"""Counts that all replicas of a service have in common, and that outlive them, in its database.

A request is counted in memory and waits for no database. Once a second what was counted is added up in the database, and the sums
come back: replicas together may so exceed a limit by what comes in within that second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import BigInteger, Column, Float, MetaData, String, Table, case, delete
from sqlalchemy.dialects import postgresql, sqlite

from service_kit.counters import Counters
from service_kit.database import Database
from service_kit.errors import ServiceError

log = structlog.get_logger(__name__)
_SECONDS = 1.0
_ROWS = 500
_COUNTS = Table(
    "caller_counts",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("ends", Float, nullable=False),
)


@asynccontextmanager
async def shared(counters: Counters, database: Database) -> AsyncGenerator[None, None]:
    """Share `counters` through `database` for the duration of the block."""
    async with database.writing() as session:
        connection = await session.connection()
        await connection.run_sync(_COUNTS.create, checkfirst=True)
    sharing = asyncio.create_task(_share(counters, database))
    try:
        yield
    finally:
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)
        await _exchange_safely(counters, database)


async def exchange(counters: Counters, database: Database) -> None:
    """Add what was counted here to what others have counted, and take over the sums; raises what the database does."""
    taken = sorted(counters.take().items())
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    for start in range(0, len(taken), _ROWS):
        rows = [{"name": name, "value": value, "ends": ends} for name, (value, ends) in taken[start : start + _ROWS]]
        added = insert(_COUNTS).values(rows)
        ended = _COUNTS.c.ends <= counters.clock()
        sums = added.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "value": case((ended, added.excluded.value), else_=_COUNTS.c.value + added.excluded.value),
                "ends": case((ended, added.excluded.ends), else_=_COUNTS.c.ends),
            },
        ).returning(_COUNTS.c.name, _COUNTS.c.value, _COUNTS.c.ends)
        async with database.writing() as session:
            found = (await session.execute(sums)).all()
            await session.execute(delete(_COUNTS).where(ended))
        for name, value, ends in found:
            counters.put(name, value, ends)


async def _share(counters: Counters, database: Database) -> None:
    while True:
        await asyncio.sleep(_SECONDS)
        await _exchange_safely(counters, database)


async def _exchange_safely(counters: Counters, database: Database) -> None:
    try:
        await exchange(counters, database)
    except ServiceError as error:
        # Each replica goes on with what it has counted itself.
        log.warning("counts are not shared now", error=type(error).__name__)
