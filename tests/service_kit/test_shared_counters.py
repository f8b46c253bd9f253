"""Counts that replicas have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from service_kit.counters import Counters
from service_kit.database import Database
from service_kit.errors import TooManyRequests
from service_kit.limits import Budgets, KeyLimits, Strangers
from service_kit.shared_counters import exchange, shared


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_replicas_count_together_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    clock = Clock()
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    one, other = Database.open(url), Database.open(url)
    first, second = Counters(clock), Counters(clock)
    try:
        async with shared(first, one), shared(second, other):
            for _ in range(6):
                Strangers(first, 10, 100).admit("a")
            for _ in range(4):
                Strangers(second, 10, 100).admit("a")
            await exchange(first, one)
            await exchange(second, other)
            with pytest.raises(TooManyRequests):
                Strangers(second, 10, 100).admit("a")
            Strangers(second, 10, 100).admit("b")
            # What comes in while the sums are on their way is not lost.
            first.add("x", 60, 2)
            taken = first.take()
            first.add("x", 60, 3)
            first.put("x", taken["x"][0] + 10, clock.now + 60)
            count = first.get("x")
            assert count is not None
            assert (count.value, count.unsent) == (15, 3)
            Budgets(first, KeyLimits(tokens_per_day=100)).of("k", KeyLimits()).spend(100)
        restarted = Counters(clock)
        async with shared(restarted, one):
            budget = Budgets(restarted, KeyLimits(tokens_per_day=100)).of("k", KeyLimits())
            budget.spend(1)
            await exchange(restarted, one)
            with pytest.raises(TooManyRequests), budget.generation():
                pass
            clock.now += 86_400
            Strangers(restarted, 10, 100).admit("a")
            await exchange(restarted, one)
            minute = restarted.get("minute a")
            assert minute is not None
            assert minute.value == 1
        async with one.reading() as session:
            names = set(await session.scalars(text("SELECT name FROM caller_counts")))
        assert names == {"minute a", "hour a"}
    finally:
        await one.aclose()
        await other.aclose()
