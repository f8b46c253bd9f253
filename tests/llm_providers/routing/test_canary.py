"""Who goes to the candidate, and what ends its trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest

from engines.contract import SCHEMA, ask, assert_whole, collect, soon, text_of
from llm_providers.errors import Halted, Overloaded, ProviderError
from llm_providers.routing import Gates
from llm_providers.routing.canary import Canary, SampledChat, place
from llm_providers.routing.fallback import FallbackChat
from llm_providers.routing.trial import RequestSample, Trial, Trip, Window, judge
from llm_providers.testing import FakeLLM
from llm_providers.types import ChatRequest, Message, Source, Started

GATES = Gates(min_requests=10)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def trial(gates: Gates = GATES) -> tuple[Trial, list[Trip]]:
    trips: list[Trip] = []

    def tripped(found: Sequence[Trip]) -> None:
        trips.extend(found)

    return Trial(gates, tripped), trips


def canary(
    percent: float, stable: FakeLLM, candidate: FakeLLM, gates: Gates = GATES
) -> tuple[Canary, Trial, list[Trip]]:
    on, trips = trial(gates)
    sampled = SampledChat(stable, on.add_stable), SampledChat(candidate, on.add_candidate, on_trial=True)
    return Canary(sampled[0], FallbackChat([sampled[1], sampled[0]], on_trial=True), percent, on), on, trips


async def backend_of(provider: Canary, affinity: str) -> str:
    events = await collect(provider.chat(ChatRequest(ask().messages, 64, affinity=affinity), soon()))
    assert isinstance(events[0], Started)
    return events[0].backend


async def test_a_conversation_stays_on_its_side_and_the_share_is_kept() -> None:
    stable, candidate = FakeLLM(name="stable"), FakeLLM(name="candidate")
    provider, _, _ = canary(30, stable, candidate)
    sides = {f"c{n}": await backend_of(provider, f"c{n}") for n in range(300)}
    assert 60 <= list(sides.values()).count("candidate") <= 120
    for name, side in list(sides.items())[:20]:
        assert await backend_of(provider, name) == side
    more, _, _ = canary(60, stable, candidate)
    for name, side in sides.items():
        if side == "candidate":
            assert await backend_of(more, name) == "candidate"


def test_the_place_is_the_same_in_every_process() -> None:
    assert place("conversation-1") == pytest.approx(0.395918, abs=1e-5)
    assert len({place("") for _ in range(8)}) == 8


async def test_a_failing_candidate_is_stopped_and_no_user_sees_it() -> None:
    stable, candidate = FakeLLM(name="stable"), FakeLLM(name="candidate")
    provider, on, trips = canary(100, stable, candidate)
    for number in range(40):
        candidate.fail.clear()
        if number % 5 == 0:
            candidate.failing(Overloaded("busy"))
        await backend_of(provider, f"c{number}")
    assert [trip.gate for trip in trips] == ["error_rate"]
    assert candidate.calls == 10
    assert on.candidate.summary().errors == 2


async def test_a_rejecting_candidate_is_no_users_fault() -> None:
    from llm_providers.errors import ContextLengthExceeded

    stable, candidate = FakeLLM(name="stable"), FakeLLM(name="candidate")
    provider, on, _ = canary(100, stable, candidate)
    candidate.failing(ContextLengthExceeded("its context is smaller"))
    assert await backend_of(provider, "a") == "stable"
    assert on.candidate.summary().errors == 1


@pytest.mark.parametrize("error", [Halted("stop")])
async def test_what_the_operator_stops_is_not_counted(error: ProviderError) -> None:
    stable, candidate = FakeLLM(name="stable"), FakeLLM(name="candidate")
    provider, on, _ = canary(100, stable, candidate)
    candidate.failing(error)
    with pytest.raises(Halted):
        await backend_of(provider, "a")
    assert on.candidate.summary().requests == 0


async def test_broken_json_of_a_candidate_reaches_nobody() -> None:
    stable, candidate = FakeLLM(name="stable"), FakeLLM(name="candidate", answer=lambda _: '{"title": ')
    provider, on, trips = canary(100, stable, candidate)
    for _ in range(12):
        events = await collect(provider.chat(ask(json_schema=SCHEMA, max_tokens=400), soon()))
        jsonschema.validate(json.loads(text_of(events)), SCHEMA)
        assert_whole(events)
    assert [trip.gate for trip in trips] == ["invalid_json_rate"]
    assert on.candidate.summary().error_rate == 0.0
    assert candidate.calls == 10


def filled(count: int = 20, **sample: Any) -> Any:
    window = Window(300, Clock())
    for _ in range(count):
        window.add(RequestSample(at=100.0, **{"seconds": 1.0, "first_token_seconds": 0.1, "unusable": False, **sample}))
    return window.summary()


@pytest.mark.parametrize(
    ("gate", "sample"),
    [
        ("error_rate", {"error": True}),
        ("p95_seconds", {"seconds": 21.0}),
        ("first_token_p95_seconds", {"first_token_seconds": 11.0}),
        ("unusable_rate", {"unusable": True}),
        ("invalid_json_rate", {"json_valid": False}),
        ("quality_loss", {"quality": 0.5}),
    ],
)
def test_each_gate_by_itself(gate: str, sample: dict[str, Any]) -> None:
    good = filled(json_valid=True, quality=1.0)
    assert judge(GATES, good, good) == []
    (trip,) = judge(GATES, good, filled(**{"json_valid": True, "quality": 1.0, **sample}))
    assert trip.gate == gate
    assert trip.value > trip.limit
    assert judge(GATES, good, filled(9, **{"json_valid": True, "quality": 1.0, **sample})) == []


def test_what_the_stable_side_does_as_well_is_no_fault() -> None:
    bad = filled(unusable=True, json_valid=False, quality=0.2)
    assert judge(GATES, bad, bad) == []


def test_a_window_forgets() -> None:
    clock = Clock()
    window = Window(300, clock)
    window.add(RequestSample(at=clock.now, seconds=1.0, error=True))
    clock.now += 301
    assert window.summary().requests == 0


async def test_answers_are_sampled_by_what_was_asked_for() -> None:
    samples: list[RequestSample] = []
    fake = FakeLLM()
    sampled = SampledChat(fake, samples.append)
    sources = (Source("1", "Timetable", "At nine."), Source("2", "Prices", "Three crowns."))
    grounded = ChatRequest((Message("user", "When?", sources),), 64)
    for answer, wanted in (("At nine [1].", 1.0), ("At nine [1] [7].", 0.5), ("At nine.", 0.0)):
        fake.answer = lambda _, answer=answer: answer
        await collect(sampled.chat(grounded, soon()))
        assert samples[-1].quality == wanted
    for answer, valid in ((json.dumps({}), False), ("{", False)):
        fake.answer = lambda _, answer=answer: answer
        await collect(sampled.chat(ask(json_schema=SCHEMA), soon()))
        assert samples[-1].json_valid is valid
    fake.answer = lambda _: ""
    await collect(sampled.chat(ask(), soon()))
    assert samples[-1].unusable
    stream = sampled.chat(ask("leave"), soon())
    await anext(stream)
    count = len(samples)
    await stream.aclose()
    assert len(samples) == count
