"""What a reader sees where one backend breaks off and another goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from engines.contract import SCHEMA, ask, collect, soon, text_of
from llm_providers.deadline import Deadline
from llm_providers.errors import AllBackendsFailed, AnswerVoid, CannotContinue, ModelNotFound, StreamBroken, Unavailable
from llm_providers.routing.fallback import FallbackChat
from llm_providers.routing.partial_answer import PrefixOverlapFilter
from llm_providers.routing.policy import OnBreak
from llm_providers.testing import FakeLLM
from llm_providers.types import ChatEvent, ChatRequest, Done, Failover, Started

ANSWER = "The ferry leaves at nine from the old pier, and tickets are sold on board."


def pair(after: int = 4) -> tuple[FakeLLM, FakeLLM]:
    broken = FakeLLM(name="first", answer=lambda _: ANSWER, break_after=after, break_with=StreamBroken("cut"))
    return broken, FakeLLM(name="second", answer=lambda _: ANSWER)


async def answered(first: FakeLLM, second: FakeLLM, on_break: OnBreak, **request: object) -> list[ChatEvent]:
    return await collect(FallbackChat([first, second], on_break=on_break).chat(ask(**request), soon()))


async def test_the_rest_comes_from_the_next_and_nothing_twice() -> None:
    first, second = pair()
    events = await answered(first, second, OnBreak.CONTINUE)
    assert text_of(events) == ANSWER
    (failover,) = [event for event in events if isinstance(event, Failover)]
    assert (failover.from_backend, failover.to_backend, failover.reason) == ("first", "second", "StreamBroken")
    assert not failover.restarted
    assert second.requests[0].prefix == "The ferry leaves at"
    assert [type(event) for event in events].count(Done) == 1
    assert [type(event) for event in events].count(Started) == 1
    assert isinstance(events[-1], Done)


async def test_what_was_said_counts_towards_the_limit() -> None:
    first, second = pair()
    events = await answered(first, second, OnBreak.CONTINUE, max_tokens=6)
    assert second.requests[0].max_tokens == 2
    assert text_of(events) == "The ferry leaves at nine "
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.usage.completion_tokens, done.usage.estimated) == ("length", 6, True)


async def test_a_stream_cut_at_its_last_token_is_whole() -> None:
    first, second = pair(after=3)
    first.answer = lambda _: "one two three four"
    events = await answered(first, second, OnBreak.CONTINUE, max_tokens=3)
    # The fake breaks before its fourth word, and three is all that may be said.
    assert text_of(events) == "one two three "
    assert second.calls == 0


async def test_restart_says_that_the_text_so_far_is_void() -> None:
    first, second = pair()
    events = await answered(first, second, OnBreak.RESTART)
    (at,) = [place for place, event in enumerate(events) if isinstance(event, Failover)]
    assert events[at].restarted  # type: ignore[union-attr]
    assert text_of(events[at:]) == ANSWER
    assert second.requests[0].prefix == ""


async def test_fail_is_an_error() -> None:
    first, second = pair()
    with pytest.raises(StreamBroken):
        await answered(first, second, OnBreak.FAIL)
    assert second.calls == 0


async def test_an_answer_under_a_grammar_is_told_anew() -> None:
    first, second = pair(after=1)
    events = await answered(first, second, OnBreak.CONTINUE, json_schema=SCHEMA, max_tokens=400)
    (failover,) = [event for event in events if isinstance(event, Failover)]
    assert failover.restarted


async def test_three_backends_may_tell_one_answer() -> None:
    first, second = pair()
    second.break_after, second.break_with = 3, StreamBroken("cut too")
    third = FakeLLM(name="third", answer=lambda _: ANSWER)
    events = await collect(FallbackChat([first, second, third], on_break=OnBreak.CONTINUE).chat(ask(), soon()))
    assert text_of(events) == ANSWER
    assert third.requests[0].prefix == "The ferry leaves at nine from"


async def test_one_that_is_back_may_finish_what_it_began() -> None:
    def recover(request: ChatRequest) -> str:
        if request.prefix:
            only.break_with = None
        return ANSWER

    only = FakeLLM(name="only", answer=recover, break_after=4, break_with=StreamBroken("cut"))
    events = await collect(FallbackChat([only], on_break=OnBreak.CONTINUE).chat(ask(), soon()))
    assert text_of(events) == ANSWER
    assert [request.prefix for request in only.requests] == ["", "The ferry leaves at"]


async def test_when_nobody_goes_on_the_stream_is_an_error() -> None:
    first, second = pair()
    second.failing(Unavailable("down"), Unavailable("down"))
    stream = FallbackChat([first, second], on_break=OnBreak.CONTINUE).chat(ask(), soon())
    with pytest.raises(AllBackendsFailed):
        await collect(stream)


async def test_a_stand_in_without_the_model_is_passed_over() -> None:
    first, second = pair()
    second.failing(ModelNotFound("not pulled"))
    third = FakeLLM(name="third", answer=lambda _: ANSWER)
    events = await collect(FallbackChat([first, second, third], on_break=OnBreak.CONTINUE).chat(ask(), soon()))
    assert text_of(events) == ANSWER


async def test_a_prefix_of_the_callers_own_stays_in_front() -> None:
    first, second = pair()
    request = ChatRequest(ask().messages, 64, prefix="Well: ")
    await collect(FallbackChat([first, second], on_break=OnBreak.CONTINUE).chat(request, soon()))
    assert second.requests[0].prefix == "Well: The ferry leaves at"


@pytest.mark.parametrize(
    ("shown", "pieces", "whole"),
    [
        ("The ferry", [" leaves"], "The ferry leaves"),
        ("The ferry ", [" leaves"], "The ferry leaves"),
        ("The ferry ", ["leaves"], "The ferry leaves"),
        ("The ferry ", [" ", " leaves"], "The ferry  leaves"),
        ("The ferry\n\n", ["\n", "\n", "leaves"], "The ferry\n\nleaves"),
        ("The ferry\n", ["\n\nleaves"], "The ferry\n\nleaves"),
        ("The fer", ["ry leaves"], "The ferry leaves"),
        (
            "The ferry leaves at nine.",
            ["The ferry leaves", " at nine.", " Tickets"],
            "The ferry leaves at nine. Tickets",
        ),
        ("The ferry leaves at nine. ", ["\nThe ferry leaves at nine. Tickets"], "The ferry leaves at nine. Tickets"),
        ("The ferry leaves at nine. ", ["The fish", " bites"], "The ferry leaves at nine. The fish bites"),
        ("The ferry leaves at nine. ", ["The"], "The ferry leaves at nine. The"),
        ("No. ", ["No. Never"], "No. No. Never"),
        ("", ["All of it"], "All of it"),
        ("päärynä 梨 ", [" 🍐"], "päärynä 梨 🍐"),
    ],
)
def test_nothing_is_shown_twice_and_no_space_is_lost(shown: str, pieces: list[str], whole: str) -> None:
    overlap = PrefixOverlapFilter(shown)
    assert shown + "".join([overlap.feed(piece) for piece in pieces]) + overlap.end() == whole


async def test_every_place_to_break_gives_the_same_text() -> None:
    for after in range(1, 14):
        first, second = pair(after)
        assert text_of(await answered(first, second, OnBreak.CONTINUE)) == ANSWER


class CannotContinueLLM(FakeLLM):
    """A server that cannot take up a partial answer."""

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        if request.prefix:
            raise CannotContinue("no", backend=self.name)
        async for event in super().chat(request, deadline):
            yield event


async def test_one_that_cannot_continue_begins_anew() -> None:
    first, _ = pair()
    second = CannotContinueLLM(name="second", answer=lambda _: ANSWER)
    events = await answered(first, second, OnBreak.CONTINUE)
    (at,) = [place for place, event in enumerate(events) if isinstance(event, Failover)]
    assert events[at].restarted  # type: ignore[union-attr]
    assert text_of(events[at:]) == ANSWER


async def test_text_that_was_no_answer_is_not_continued() -> None:
    first, second = pair()
    first.break_with = AnswerVoid("a thought")
    events = await answered(first, second, OnBreak.CONTINUE)
    (at,) = [place for place, event in enumerate(events) if isinstance(event, Failover)]
    assert events[at].restarted  # type: ignore[union-attr]
    assert text_of(events[at:]) == ANSWER
    assert second.requests[0].prefix == ""
