from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import time

import pytest

from engines.contract import ask, collect, soon
from llm_providers.errors import ModelLoading, StreamBroken
from llm_providers.routing import Observed
from llm_providers.testing import FakeEmbeddings, FakeLLM
from llm_providers.types import Done, EmbedKind, Role


@dataclass
class Notes:
    requests: list[tuple[Role, str, str, float, float | None]] = field(default_factory=list)

    def on_request(self, role: Role, backend: str, outcome: str, seconds: float, first: float | None) -> None:
        self.requests.append((role, backend, outcome, seconds, first))

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        raise AssertionError

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        raise AssertionError


async def test_a_whole_answer_is_measured_from_its_first_token_to_its_end() -> None:
    notes = Notes()
    observed = Observed(FakeLLM(pause=0.02), Role.TEXT, notes)
    before = time()
    await collect(observed.chat(ask("one two three"), soon()))
    [(role, backend, outcome, seconds, first)] = notes.requests
    assert (role, backend, outcome) == (Role.TEXT, "fake", "ok")
    assert first is not None
    assert 0.015 < first < seconds
    assert observed.last_success is not None
    assert observed.last_success >= before


async def test_leaving_after_the_end_is_no_cancellation() -> None:
    notes = Notes()
    stream = Observed(FakeLLM(), Role.TEXT, notes).chat(ask(), soon())
    while not isinstance(await anext(stream), Done):
        pass
    await stream.aclose()
    assert [entry[2] for entry in notes.requests] == ["ok"]


async def test_leaving_before_the_end_is() -> None:
    notes = Notes()
    observed = Observed(FakeLLM(pause=0.01), Role.TEXT, notes)
    stream = observed.chat(ask(), soon())
    await anext(stream)
    await stream.aclose()
    task = asyncio.create_task(collect(observed.chat(ask(), soon())))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [entry[2] for entry in notes.requests] == ["cancelled", "cancelled"]
    assert observed.last_success is None


async def test_failures_are_named_by_their_type() -> None:
    notes = Notes()
    llm = Observed(FakeLLM(break_with=StreamBroken("cut")), Role.TEXT, notes)
    with pytest.raises(StreamBroken):
        await collect(llm.chat(ask(), soon()))
    embeddings = FakeEmbeddings()
    embeddings.failing(ModelLoading("soon"))
    observed = Observed(embeddings, Role.EMBEDDINGS, notes)
    with pytest.raises(ModelLoading):
        await observed.embed(["a"], EmbedKind.QUERY, soon())
    assert isinstance(observed.last_error, ModelLoading)
    await observed.embed(["a"], EmbedKind.QUERY, soon())
    assert observed.last_error is None
    assert [entry[2] for entry in notes.requests] == ["stream_broken", "model_loading", "ok"]
