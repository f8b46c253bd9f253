"""Models that think: their thoughts never reach answers, and take nothing of the answer's limit."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from engines import Engine, OllamaEngine, OpenAIEngine
from engines.contract import SCHEMA, ask, collect, soon, text_of
from llm_providers import OllamaProvider, VLLMProvider
from llm_providers.backends._answer_stream import ReasoningFilter
from llm_providers.deadline import Timeouts
from llm_providers.errors import AnswerVoid
from llm_providers.routing.breaker import probe_chat
from llm_providers.routing.fallback import FallbackChat
from llm_providers.routing.policy import OnBreak
from llm_providers.testing import FakeLLM
from llm_providers.types import ChatEvent, Done, Failover, Started, Thought, Token

THOUGHTS = "The user asks about the ferry, so I look at the timetable first and then at the prices."
ANSWER = "The ferry leaves at nine."
STYLES = [
    ("openai", "reasoning_content"),
    ("openai", "reasoning"),
    ("openai", "inline"),
    ("ollama", "thinking"),
    ("ollama", "inline"),
]


@dataclass
class Pair:
    provider: VLLMProvider | OllamaProvider
    engine: Engine
    path: str


@pytest.fixture(params=STYLES, ids=lambda value: "-".join(value))
def pair(
    request: pytest.FixtureRequest,
    vllm: VLLMProvider,
    ollama: OllamaProvider,
    openai_engine: OpenAIEngine,
    ollama_engine: OllamaEngine,
) -> Pair:
    kind, style = request.param
    engine: Engine = openai_engine if kind == "openai" else ollama_engine
    engine.thoughts, engine.thought_style, engine.answer = THOUGHTS, style, lambda _: ANSWER
    if kind == "openai":
        return Pair(vllm, engine, "/chat/completions")
    return Pair(ollama, engine, "/api/chat")


def thoughts_of(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Thought))


async def test_thoughts_are_events_of_their_own_and_counted(pair: Pair) -> None:
    events = await collect(pair.provider.chat(ask(max_tokens=200), soon()))
    assert isinstance(events[0], Started)
    assert text_of(events) == ANSWER
    assert thoughts_of(events) == THOUGHTS
    done = events[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == "stop"
    assert done.usage.reasoning_tokens > 5


async def test_a_thought_longer_than_the_limit_leaves_room_for_the_answer(pair: Pair) -> None:
    pair.engine.thoughts = THOUGHTS * 3
    for _ in range(2):
        events = await collect(pair.provider.chat(ask(max_tokens=8), soon()))
        assert text_of(events) == ANSWER
    sent = [seen.body for seen in pair.engine.requests(pair.path)]
    # The first time it is found out; from then on every request has the room.
    assert len(sent) == 3
    limits = [body.get("max_tokens") or body["options"]["num_predict"] for body in sent]
    assert limits[0] == 8
    assert limits[1] == limits[2] > 1000


async def test_the_limit_is_the_answers_own(pair: Pair) -> None:
    pair.engine.answer = lambda _: "one two three four five six"
    await collect(pair.provider.chat(ask(max_tokens=200), soon()))
    events = await collect(pair.provider.chat(ask(max_tokens=3), soon()))
    assert text_of(events).split() == ["one", "two", "three"]
    done = events[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == "length"


async def test_a_json_answer_is_whole(pair: Pair) -> None:
    pair.engine.thoughts = THOUGHTS * 3
    events = await collect(pair.provider.chat(ask(max_tokens=60, json_schema=SCHEMA), soon()))
    assert set(json.loads(text_of(events))) == {"title", "kind", "points"}


async def test_a_long_thought_is_a_sign_of_life(
    pair: Pair, openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    timeouts = Timeouts(connect=1, first_token=0.5, idle=0.5)
    provider: VLLMProvider | OllamaProvider = (
        VLLMProvider(openai_engine.url, "llama3.2", timeouts=timeouts)
        if pair.provider.name == "vllm"
        else OllamaProvider(ollama_engine.url, "llama3.2", timeouts=timeouts)
    )
    assert text_of(await collect(provider.chat(ask(max_tokens=200), soon()))) == ANSWER
    pair.engine.delay = 0.06
    assert text_of(await collect(provider.chat(ask(max_tokens=200), soon()))) == ANSWER
    await provider.aclose()


async def test_a_probe_is_content_with_the_first_thought(pair: Pair) -> None:
    pair.engine.delay = 0.05
    async with asyncio.timeout(2):
        await probe_chat(pair.provider, soon())


async def test_a_thought_that_the_template_opened_is_not_taken_for_the_answer(
    vllm: VLLMProvider, openai_engine: OpenAIEngine
) -> None:
    openai_engine.thoughts, openai_engine.thought_style = THOUGHTS, "prefilled"
    openai_engine.answer = lambda _: ANSWER
    with pytest.raises(AnswerVoid):
        await collect(vllm.chat(ask(max_tokens=200), soon()))
    events = await collect(vllm.chat(ask(max_tokens=200), soon()))
    assert (text_of(events), thoughts_of(events)) == (ANSWER, THOUGHTS)


async def test_within_a_chain_it_is_restarted_without_an_error(vllm: VLLMProvider, openai_engine: OpenAIEngine) -> None:
    openai_engine.thoughts, openai_engine.thought_style = THOUGHTS, "prefilled"
    openai_engine.answer = lambda _: ANSWER
    chain = FallbackChat([vllm], on_break=OnBreak.CONTINUE)
    events = await collect(chain.chat(ask(max_tokens=200), soon()))
    at = next(place for place, event in enumerate(events) if isinstance(event, Failover))
    assert text_of(events[at:]) == ANSWER


async def test_without_thoughts_nothing_changes(vllm: VLLMProvider, openai_engine: OpenAIEngine) -> None:
    openai_engine.answer = lambda _: "if a < b and b > c then <thin line> is drawn"
    events = await collect(vllm.chat(ask(max_tokens=64), soon()))
    assert text_of(events) == "if a < b and b > c then <thin line> is drawn"
    assert thoughts_of(events) == ""


def feed(text: str, size: int, *, opened: bool = False) -> tuple[str, str, bool]:
    filter_, events = ReasoningFilter(opened=opened), list[Thought | Token]()
    for at in range(0, len(text), size):
        events += filter_.feed(text[at : at + size])
    events += filter_.end()
    answer = "".join(event.text for event in events if isinstance(event, Token))
    thoughts = "".join(event.text for event in events if isinstance(event, Thought))
    return answer, thoughts, filter_.began_inside


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize(
    ("text", "answer", "thoughts"),
    [
        ("plain", "plain", ""),
        ("<think>a</think>b", "b", "a"),
        ("<think>\na\n</think>\n\nb c", "b c", "\na\n"),
        ("<think></think>\n\nb", "b", ""),
        ("<think>a</think>b<think>c</think>d", "bd", "ac"),
        ("<think>never closed", "", "never closed"),
        ("a < b <thi", "a < b <thi", ""),
        ("[THINK]a[/THINK]b", "b", "a"),
        ("<thinking>a</thinking>b", "b", "a"),
    ],
)
def test_tags_cut_anywhere(text: str, answer: str, thoughts: str, size: int) -> None:
    assert feed(text, size) == (answer, thoughts, False)


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_closing_tag_alone_voids_what_came_before(size: int) -> None:
    assert feed("a thought</think>b", size)[2]
    assert feed("a thought</think>b", size, opened=True) == ("b", "a thought", False)


async def test_a_fake_that_thinks_nothing_counts_nothing() -> None:
    done = (await collect(FakeLLM().chat(ask(), soon())))[-1]
    assert isinstance(done, Done)
    assert done.usage.reasoning_tokens == 0
