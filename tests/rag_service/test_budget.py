"""Passages fit the context by the model's own tokenizer, where the server offers it, or by an estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from engines import OpenAIEngine
from harness.rag import Stack
from llm_providers.deadline import Deadline
from llm_providers.errors import ModelNotFound
from llm_providers.tokens import estimate_tokens
from llm_providers.types import Message, ModelInfo
from rag_service.budget import fitting
from rag_service.ranking import Passage

WORDS = "pump seal bearing valve " * 50
PASSAGES = [Passage(n, f"d{n}", 0, "Title", "f.txt", "en", 1, 0, 4, "", WORDS, 1.0) for n in range(20)]
ONE = estimate_tokens(WORDS)


@dataclass
class Tokenizer:
    """Makes `scale` times as many tokens as the estimate."""

    scale: float
    calls: list[int] = field(default_factory=list)

    async def __call__(self, messages: tuple[Message, ...], deadline: Deadline) -> int:
        sources = [source.text for message in messages for source in message.sources]
        self.calls.append(len(sources))
        return int(self.scale * sum(map(estimate_tokens, sources)))


async def refused(messages: object, deadline: Deadline) -> int:
    raise ModelNotFound("no such page", backend="x")


async def fit(info: ModelInfo) -> int:
    return len(await fitting(PASSAGES, info, 200, "What is it?", (), Deadline.after(10)))


async def test_where_all_is_well_within_the_limit_nothing_is_counted() -> None:
    tokenizer = Tokenizer(1.0)
    assert await fit(ModelInfo("x", "m", ONE * 100, count_tokens=tokenizer)) == len(PASSAGES)
    assert tokenizer.calls == []


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5, 3.0])
async def test_near_the_limit_the_count_decides(scale: float) -> None:
    tokenizer = Tokenizer(scale)
    context = 200 + ONE * 10
    found = await fit(ModelInfo("x", "m", context, count_tokens=tokenizer))
    assert scale * found * ONE <= ONE * 10
    assert found >= min(10, 10 / scale) - 2
    assert len(tokenizer.calls) <= 5


async def test_without_a_count_the_estimate_decides() -> None:
    estimated = await fit(ModelInfo("x", "m", 200 + ONE * 10))
    assert 5 <= estimated < 10
    assert await fit(ModelInfo("x", "m", 200 + ONE * 10, count_tokens=refused)) == estimated


async def test_no_room_is_said(scripted: Stack, engine: OpenAIEngine) -> None:
    engine.context = 900
    await scripted.add(WORDS * 4, "Pumps")
    answer = await scripted.query("Which pump has a seal?", max_tokens=800)
    assert answer["answered"] is False
    assert any("no room" in warning for warning in answer["warnings"]), answer["warnings"]
