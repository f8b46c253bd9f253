"""The candidate answers too, and nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic

import pytest

from engines.contract import ask, assert_whole, collect, soon
from llm_providers.errors import Overloaded, Unavailable
from llm_providers.routing.shadow import Comparison, Shadow, ShadowRunner
from llm_providers.testing import FakeEmbeddings, FakeLLM
from llm_providers.types import EmbedKind, Vectors


class Bench:
    def __init__(self, candidate: FakeLLM) -> None:
        self.stored: list[Comparison] = []
        self.outcomes: list[str] = []
        self.candidate, self.embeddings = candidate, FakeEmbeddings()
        self.stable = FakeLLM(name="stable", answer=lambda _: "The ferry leaves at nine [1].")
        self.runner = ShadowRunner(candidate, 30.0, self._embed, self._store, self.outcomes.append)

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        return await self.embeddings.embed(texts, EmbedKind.DOCUMENT, soon())

    async def _store(self, comparison: Comparison) -> None:
        self.stored.append(comparison)

    async def ask(self, times: int = 1, percent: float = 100.0) -> None:
        shadow = Shadow(self.stable, percent, self.runner)
        for _ in range(times):
            assert_whole(await collect(shadow.chat(ask(), soon())))

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.stored) < count:
                await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(FakeLLM(name="candidate", answer=lambda _: "The ferry leaves at nine [2]."))
    yield made
    await made.runner.aclose()


async def test_both_answers_are_compared_and_no_text_is_kept(bench: Bench) -> None:
    await bench.ask()
    await bench.wait(1)
    (comparison,) = bench.stored
    assert comparison.candidate is not None
    assert (comparison.stable.backend, comparison.candidate.backend) == ("stable", "candidate")
    assert comparison.citation_overlap == 0.0
    assert comparison.similarity is not None
    assert comparison.similarity > 0.8
    assert "ferry" not in repr(comparison)
    report = bench.runner.report()
    assert (report["sampled"], report["done"], report["dropped"]) == (1, 1, 0)
    assert report["refusal_rate"] == {"stable": 0.0, "candidate": 0.0}
    assert bench.outcomes == ["sampled", "done"]


async def test_a_candidate_that_fails_is_counted_by_its_fault(bench: Bench) -> None:
    bench.candidate.failing(Overloaded("busy"))
    await bench.ask()
    await bench.wait(1)
    assert bench.stored[0].error == "overloaded"
    assert bench.runner.report()["failed"] == 1


async def test_one_that_hangs_costs_the_user_nothing_and_the_rest_is_dropped(bench: Bench) -> None:
    bench.candidate.pause = 3600.0
    begun = monotonic()
    await bench.ask(100)
    assert monotonic() - begun < 5
    report = bench.runner.report()
    assert report["sampled"] == 100
    assert report["waiting"] + report["dropped"] >= 98
    assert report["dropped"] > 0


async def test_a_share_is_a_share(bench: Bench) -> None:
    await bench.ask(200, percent=20)
    assert 10 <= bench.runner.report()["sampled"] <= 80


async def test_what_the_candidate_answered_itself_is_not_compared(bench: Bench) -> None:
    bench.stable.name = "candidate"
    await bench.ask()
    assert bench.runner.report()["sampled"] == 0


async def test_without_embeddings_the_rest_is_compared(bench: Bench) -> None:
    bench.embeddings.failing(Unavailable("down"))
    await bench.ask()
    await bench.wait(1)
    assert bench.stored[0].similarity is None
    assert bench.stored[0].error is None


async def test_an_answer_that_was_left_is_not_sampled(bench: Bench) -> None:
    stream = Shadow(bench.stable, 100.0, bench.runner).chat(ask(), soon())
    await anext(stream)
    await stream.aclose()
    assert bench.runner.report()["sampled"] == 0


async def test_a_full_disk_does_not_end_the_shadow(bench: Bench) -> None:
    async def full(_: Comparison) -> None:
        raise OSError(28, "No space left on device")

    bench.runner = ShadowRunner(bench.candidate, 30.0, bench._embed, full, bench.outcomes.append)
    await bench.ask(5)
    async with asyncio.timeout(10):
        while bench.outcomes.count("unstored") < 5:
            await asyncio.sleep(0)
    assert bench.runner.report()["done"] == 5


async def test_closing_stops_what_runs_at_the_candidate(bench: Bench) -> None:
    bench.candidate.pause = 3600.0
    await bench.ask()
    while not bench.candidate.calls:
        await asyncio.sleep(0)
    await bench.runner.aclose()
    assert bench.candidate.cancelled == 1
    assert bench.runner.report()["dropped"] == 1
