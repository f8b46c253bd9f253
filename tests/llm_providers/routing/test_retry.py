from __future__ import annotations

import pytest

from engines.contract import ask, collect, soon
from llm_providers import Deadline
from llm_providers.errors import ModelNotFound, Overloaded, StreamBroken, Unavailable
from llm_providers.routing.retry import Backoff, RetriedChat, RetriedEmbeddings
from llm_providers.testing import FakeEmbeddings, FakeLLM
from llm_providers.types import EmbedKind, Started, Token


class Clock:
    """Stands in for sleeping, and keeps how long it would have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_it_tries_three_times_and_waits_longer_each_time() -> None:
    fake, clock = FakeLLM(), Clock()
    fake.failing(Unavailable("1"), Unavailable("2"), None)
    events = await collect(RetriedChat(fake, Backoff(sleep=clock)).chat(ask(), soon()))
    assert isinstance(events[0], Started)
    assert fake.calls == 3
    assert len(clock.slept) == 2
    assert 0 <= clock.slept[0] <= 0.2
    assert 0 <= clock.slept[1] <= 0.4


async def test_the_last_error_is_raised_when_all_failed() -> None:
    fake = FakeLLM()
    fake.failing(Unavailable("1"), Unavailable("2"), Unavailable("3"), None)
    with pytest.raises(Unavailable, match="3"):
        await collect(RetriedChat(fake, Backoff(sleep=Clock())).chat(ask(), soon()))
    assert fake.calls == 3


async def test_what_the_server_asks_for_is_waited() -> None:
    fake, clock = FakeEmbeddings(), Clock()
    fake.failing(Overloaded("busy", retry_after=3.0))
    await RetriedEmbeddings(fake, Backoff(sleep=clock)).embed(["a"], EmbedKind.QUERY, soon())
    assert clock.slept[0] >= 3.0


async def test_a_wait_that_is_too_long_is_the_callers_matter() -> None:
    fake, clock = FakeEmbeddings(), Clock()
    fake.failing(Overloaded("busy", retry_after=60.0))
    with pytest.raises(Overloaded) as caught:
        await RetriedEmbeddings(fake, Backoff(sleep=clock)).embed(["a"], EmbedKind.QUERY, soon())
    assert caught.value.retry_after == 60.0
    assert (fake.calls, clock.slept) == (1, [])


async def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    fake, clock = FakeEmbeddings(), Clock()
    fake.failing(Overloaded("busy", retry_after=4.0))
    with pytest.raises(Overloaded):
        await RetriedEmbeddings(fake, Backoff(sleep=clock)).embed(["a"], EmbedKind.QUERY, Deadline.after(2.0))
    assert (fake.calls, clock.slept) == (1, [])


async def test_a_rejection_is_not_tried_again() -> None:
    fake = FakeLLM()
    fake.failing(ModelNotFound("no"))
    with pytest.raises(ModelNotFound):
        await collect(RetriedChat(fake, Backoff(sleep=Clock())).chat(ask(), soon()))
    assert fake.calls == 1


async def test_nothing_is_tried_again_once_the_answer_has_begun() -> None:
    fake = FakeLLM(break_after=2, break_with=StreamBroken("cut"))
    seen: list[object] = []

    async def consume() -> None:
        async for event in RetriedChat(fake, Backoff(sleep=Clock())).chat(ask(), soon()):
            seen.append(event)  # noqa: PERF401

    with pytest.raises(StreamBroken):
        await consume()
    assert [type(event) for event in seen] == [Started, Token, Token]
    assert fake.calls == 1


async def test_a_stream_that_broke_before_its_first_token_is_tried_again() -> None:
    fake = FakeLLM(break_after=0, break_with=StreamBroken("cut"))
    with pytest.raises(StreamBroken):
        await collect(RetriedChat(fake, Backoff(attempts=2, sleep=Clock())).chat(ask(), soon()))
    assert fake.calls == 2
