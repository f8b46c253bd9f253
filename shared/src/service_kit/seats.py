"""Seats: which of a service's replicas this process is, so that a dead one's work is taken up and a living one's is not.

A seat is a number, held by a PostgreSQL session lock, which the server lets go when its holder dies
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS). Host names would not do: a container
that is made anew has another one, and would never find what it left.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from zlib import crc32

import structlog

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = structlog.get_logger(__name__)
_MOST_SEATS = 1000
_CONNECT_SECONDS = 5


class Seat:
    """The lowest number that no other process of `service` holds; `keep` must be called now and then."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._space = crc32(f"seats of {service}".encode()) - 2**31
        self._connection: AsyncConnection | None = None
        self.number = -1

    async def take(self) -> int:
        """Take a seat and return its number; raises `psycopg.OperationalError` while the server is away."""
        connection = await self._connect()
        for number in range(_MOST_SEATS):
            if await self._lock(connection, number):
                self.number = number
                return number
        raise RuntimeError(f"all of {_MOST_SEATS} seats are taken")

    async def keep(self) -> bool:
        """Say whether the seat is held still, taking it again if the connection was lost meanwhile."""
        from psycopg import OperationalError

        try:
            if self._connection is not None:
                await self._connection.execute("SELECT 1")
                return True
            return await self._lock(await self._connect(), self.number)
        except OperationalError as error:
            log.warning("seat lost", number=self.number, error=type(error).__name__)
            await self.leave()
            return False

    @asynccontextmanager
    async def vacant(self, number: int) -> AsyncGenerator[bool, None]:
        """Say whether nobody holds seat `number`, and let nobody take it meanwhile. Call after `keep` said yes."""
        assert self._connection is not None
        if number == self.number or not await self._lock(self._connection, number):
            yield False
            return
        try:
            yield True
        finally:
            await self._connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", (self._space, number))

    async def leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> AsyncConnection:
        from psycopg import AsyncConnection

        self._connection = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
        return self._connection

    async def _lock(self, connection: AsyncConnection, number: int) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", (self._space, number))
        row = await cursor.fetchone()
        return bool(row and row[0])
