"""Counts of callers on PostgreSQL, where replicas begin at the same time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from service_kit.counters import Counters
from service_kit.database import Database
from service_kit.shared_counters import exchange, shared

pytestmark = pytest.mark.stores
REPLICAS = 4


async def test_replicas_count_together(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        databases, counters = [], [Counters() for _ in range(REPLICAS)]
        for _ in counters:
            database = Database.open(database_url)
            stack.push_async_callback(database.aclose)
            databases.append(database)
        pairs = list(zip(counters, databases, strict=True))
        await asyncio.gather(*(stack.enter_async_context(shared(*pair)) for pair in pairs))
        for one in counters:
            for name in range(700):
                one.add(f"requests {name}", 3600)
        for _ in range(2):
            for one in counters:
                one.add("requests 5", 3600)
            await asyncio.gather(*(exchange(*pair) for pair in pairs))
        for one in counters:
            one.add("requests 5", 3600, 0)
        for pair in pairs:
            await exchange(*pair)
        counts = [one.get("requests 5") for one in counters]
        assert [count.value for count in counts if count] == [REPLICAS * 3] * REPLICAS
