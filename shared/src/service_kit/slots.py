"""Replica slots: the number of a process among the replicas of its service, by which its unfinished jobs are found again.

A slot is held by a PostgreSQL session lock, which the server releases when its holder dies
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS). Host names would not do: a recreated
container has a new one, and would never find the jobs of the old one.
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
_MAX_SLOTS = 1000
_CONNECT_SECONDS = 5


class Slot:
    """The lowest number that no other process of `service` holds; `renew` must be called regularly."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        # The words are those of the first release: a replica of another release must meet the same locks.
        self._space = crc32(f"seats of {service}".encode()) - 2**31
        self._connection: AsyncConnection | None = None
        self.number = -1

    async def acquire(self) -> int:
        """Acquire a slot and return its number; raises `psycopg.OperationalError` while the server is away."""
        connection = await self._connect()
        for number in range(_MAX_SLOTS):
            if await self._lock(connection, number):
                self.number = number
                return number
        raise RuntimeError(f"all {_MAX_SLOTS} replica slots are in use")

    async def renew(self) -> bool:
        """Return whether the slot is still held; if the connection was lost, try to acquire the same slot again."""
        from psycopg import OperationalError

        try:
            if self._connection is not None:
                await self._connection.execute("SELECT 1")
                return True
            return await self._lock(await self._connect(), self.number)
        except OperationalError as error:
            log.warning("replica slot lost", number=self.number, error=type(error).__name__)
            await self.release()
            return False

    @asynccontextmanager
    async def vacant(self, number: int) -> AsyncGenerator[bool, None]:
        """Yield whether no process holds slot `number`, and keep it free during the block. Call it after `renew`."""
        assert self._connection is not None
        if number == self.number or not await self._lock(self._connection, number):
            yield False
            return
        try:
            yield True
        finally:
            await self._connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", (self._space, number))

    async def release(self) -> None:
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
