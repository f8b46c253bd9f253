from __future__ import annotations

import pytest

from engines.contract import ask, assert_whole, collect, soon
from llm_providers.errors import (
    AllBackendsFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RequestRejected,
    StreamBroken,
    Unavailable,
)
from llm_providers.routing.fallback import FallbackChat, FallbackRerank
from llm_providers.testing import FakeLLM, FakeRerank
from llm_providers.types import Started


def pair() -> tuple[FakeLLM, FakeLLM]:
    return FakeLLM(name="first"), FakeLLM(name="second")


async def backend_of(fallback: FallbackChat) -> str:
    events = await collect(fallback.chat(ask(), soon()))
    assert_whole(events)
    assert isinstance(events[0], Started)
    return events[0].backend


async def test_the_first_answers_while_it_can() -> None:
    first, second = pair()
    assert await backend_of(FallbackChat([first, second])) == "first"
    assert second.calls == 0


async def test_the_second_answers_when_the_first_is_unavailable() -> None:
    first, second = pair()
    first.failing(Overloaded("busy", backend="first"))
    fallbacks: list[tuple[str, str, str]] = []
    fallback = FallbackChat([first, second], lambda a, b, error: fallbacks.append((a, b, type(error).__name__)))
    assert await backend_of(fallback) == "second"
    assert fallbacks == [("first", "second", "Overloaded")]
    assert await backend_of(fallback) == "first"


@pytest.mark.parametrize("error", [RequestRejected("no"), ContextLengthExceeded("long"), ModelNotFound("which")])
async def test_a_rejection_does_not_fall_back(error: ProviderError) -> None:
    first, second = pair()
    first.failing(error)
    with pytest.raises(type(error)):
        await backend_of(FallbackChat([first, second]))
    assert second.calls == 0


async def test_a_spent_deadline_does_not_fall_back() -> None:
    first, second = pair()
    first.failing(DeadlineExceeded("late"))
    with pytest.raises(DeadlineExceeded):
        await backend_of(FallbackChat([first, second]))
    assert second.calls == 0


async def test_all_failed_names_all_and_the_shortest_wait() -> None:
    first, second = pair()
    first.failing(Overloaded("busy", backend="first", retry_after=9.0))
    second.failing(Unavailable("gone", backend="second", retry_after=4.0))
    with pytest.raises(AllBackendsFailed, match="first: busy; second: gone") as caught:
        await backend_of(FallbackChat([first, second]))
    assert caught.value.retry_after == 4.0
    assert len(caught.value.errors) == 2


async def test_what_only_the_stand_in_rejects_is_an_outage_of_the_first() -> None:
    first, second = pair()
    first.failing(Unavailable("gone"))
    second.failing(ContextLengthExceeded("too long for me"))
    with pytest.raises(AllBackendsFailed) as caught:
        await backend_of(FallbackChat([first, second]))
    assert isinstance(caught.value.errors[1], ContextLengthExceeded)


async def test_once_the_answer_has_begun_nobody_takes_over() -> None:
    first, second = FakeLLM(name="first", break_after=1, break_with=StreamBroken("cut")), FakeLLM(name="second")
    with pytest.raises(StreamBroken):
        await backend_of(FallbackChat([first, second]))
    assert second.calls == 0


async def test_leaving_the_stream_reaches_the_backend() -> None:
    first, second = pair()
    stream = FallbackChat([first, second]).chat(ask(), soon())
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    assert first.cancelled == 1


def test_a_chain_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        FallbackChat([])


async def test_rerank_falls_back_by_the_same_rule() -> None:
    first, second = FakeRerank(name="first"), FakeRerank(name="second")
    fallback = FallbackRerank([first, second])
    first.failing(Overloaded("busy"))
    assert len(await fallback.rerank("a", ["a", "b"], 2, soon())) == 2
    assert second.calls == 1
    first.failing(RequestRejected("no"))
    with pytest.raises(RequestRejected):
        await fallback.rerank("a", ["a"], 1, soon())
    first.failing(Unavailable("1"))
    second.failing(Unavailable("2"))
    with pytest.raises(AllBackendsFailed):
        await fallback.rerank("a", ["a"], 1, soon())
