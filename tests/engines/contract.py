"""What every provider must do, real or fake, bare or wrapped.

A module that runs it defines the fixture `llm`, `embeddings` or `rerank` and subclasses the class for that role.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import AllBackendsFailed, ContextLengthExceeded, DeadlineExceeded, ProviderError
from llm_providers.types import ChatEvent, ChatRequest, Done, EmbedKind, Message, Source, Started, Token

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["meeting", "lecture"]},
        "points": {"type": "array", "items": {"type": "string", "maxLength": 100}, "maxItems": 2},
    },
    "required": ["title", "kind", "points"],
    "additionalProperties": False,
}

STORY = (
    "The ferry to the island leaves at nine in the morning and at four in the afternoon. Tickets are sold on board. "
    "In winter there is one crossing a day. Dogs travel free of charge. The crossing takes fifty minutes."
)


def ask(content: str = STORY, *, max_tokens: int = 64, **more: object) -> ChatRequest:
    return ChatRequest((Message("user", content),), max_tokens=max_tokens, **more)  # type: ignore[arg-type]


def soon(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds)


async def collect(stream: AsyncGenerator[ChatEvent, None]) -> list[ChatEvent]:
    async with aclosing(stream):
        return [event async for event in stream]


def text_of(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def assert_whole(events: list[ChatEvent]) -> Done:
    """One `Started` first, one `Done` last, nothing but tokens in between."""
    assert isinstance(events[0], Started)
    assert all(isinstance(event, Token) and event.text for event in events[1:-1])
    assert isinstance(events[-1], Done)
    return events[-1]


class ChatContract:
    async def test_a_stream_starts_once_and_ends_once(self, llm: LLMProvider) -> None:
        events = await collect(llm.chat(ask(), soon()))
        done = assert_whole(events)
        assert text_of(events).strip()
        assert done.usage.prompt_tokens > 0
        assert done.usage.completion_tokens > 0

    async def test_an_answer_cut_at_max_tokens_says_so(self, llm: LLMProvider) -> None:
        done = assert_whole(await collect(llm.chat(ask(max_tokens=1), soon())))
        assert done.finish_reason == "length"
        assert done.usage.completion_tokens == 1

    async def test_an_answer_ends_before_a_word_that_stops_it(self, llm: LLMProvider) -> None:
        whole = text_of(await collect(llm.chat(ask(temperature=0.0), soon())))
        words = whole.split()
        word = words[len(words) // 2]
        events = await collect(llm.chat(ask(temperature=0.0, stop=("no such word", word)), soon()))
        assert assert_whole(events).finish_reason == "stop"
        assert text_of(events) == whole[: whole.index(word)]

    async def test_the_model_is_named_alike_before_and_during(self, llm: LLMProvider) -> None:
        info = await llm.info(soon())
        started = (await collect(llm.chat(ask(), soon())))[0]
        assert isinstance(started, Started)
        assert (started.model, started.extractive) == (info.model, info.extractive)
        assert info.context_tokens > 0
        assert llm.name

    async def test_json_schema_is_obeyed(self, llm: LLMProvider) -> None:
        events = await collect(llm.chat(ask(max_tokens=400, json_schema=SCHEMA), soon()))
        assert assert_whole(events).finish_reason == "stop"
        jsonschema.validate(json.loads(text_of(events)), SCHEMA)

    async def test_an_answer_that_has_begun_is_gone_on_with(self, llm: LLMProvider) -> None:
        whole = text_of(await collect(llm.chat(ask(), soon())))
        prefix = whole[: len(whole) // 2].rstrip()
        events = await collect(llm.chat(replace(ask(), prefix=prefix), soon()))
        assert_whole(events)
        assert not text_of(events).lstrip().startswith(prefix)

    async def test_sources_and_every_script_are_accepted(self, llm: LLMProvider) -> None:
        sources = (Source("1", "Fahrplan", STORY), Source("2", "時刻表", "船は九時に出ます。\u2028 \x85 \U0001f6a2"))
        request = ChatRequest((Message("system", "Be brief."), Message("user", "When does it leave?", sources)), 40)
        assert_whole(await collect(llm.chat(request, soon())))

    async def test_a_spent_deadline_starts_nothing(self, llm: LLMProvider) -> None:
        with pytest.raises(DeadlineExceeded):
            await collect(llm.chat(ask(), Deadline.after(-1)))

    async def test_a_prompt_that_does_not_fit_is_not_cut_in_silence(self, llm: LLMProvider) -> None:
        info = await llm.info(soon())
        if info.extractive:
            # Its context is no limit, but what is worth reading: nothing is dropped.
            assert_whole(await collect(llm.chat(ask("The ferry leaves at nine. " * 1000), soon())))
            return
        request = ask("The ferry leaves at nine. " * (info.context_tokens // 4))
        with pytest.raises(ProviderError) as caught:
            await collect(llm.chat(request, soon()))
        error = caught.value
        # The first of a chain may be down, and the prompt too long only for its stand-in.
        assert isinstance(error.errors[-1] if isinstance(error, AllBackendsFailed) else error, ContextLengthExceeded)

    async def test_it_works_on_after_a_stream_was_left(self, llm: LLMProvider) -> None:
        stream = llm.chat(ask(), soon())
        assert isinstance(await anext(stream), Started)
        await stream.aclose()
        assert_whole(await collect(llm.chat(ask(), soon())))

    async def test_it_works_on_after_a_task_was_cancelled(self, llm: LLMProvider) -> None:
        begun = asyncio.Event()

        async def consume() -> None:
            async with aclosing(llm.chat(ask(), soon())) as stream:
                async for _ in stream:
                    begun.set()
                    await asyncio.Event().wait()

        task = asyncio.create_task(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_whole(await collect(llm.chat(ask(), soon())))

    async def test_many_at_once(self, llm: LLMProvider) -> None:
        streams = [collect(llm.chat(ask(f"{STORY} Number {n}."), soon())) for n in range(8)]
        for events in await asyncio.gather(*streams):
            assert_whole(events)


class EmbeddingContract:
    async def test_rows_are_unit_vectors_in_order(self, embeddings: EmbeddingProvider) -> None:
        texts = ["a lighthouse on the coast", "an unpaid invoice", "päärynä \U0001f350 梨"]
        together = await embeddings.embed(texts, EmbedKind.DOCUMENT, soon())
        model = await embeddings.embedding_model(soon())
        assert together.shape == (3, model.dimension)
        assert together.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-3)
        for text, row in zip(texts, together, strict=True):
            alone = (await embeddings.embed([text], EmbedKind.DOCUMENT, soon()))[0]
            assert float(alone @ row) > 0.999

    async def test_related_texts_lie_closer(self, embeddings: EmbeddingProvider) -> None:
        query = (await embeddings.embed(["ferry tickets and prices"], EmbedKind.QUERY, soon()))[0]
        texts = [
            "The ferry tickets are sold on board, prices on request.",
            "Quarterly growth of fungi in damp cellars.",
        ]
        near, far = await embeddings.embed(texts, EmbedKind.DOCUMENT, soon())
        assert query @ near > query @ far

    async def test_no_texts_make_no_rows(self, embeddings: EmbeddingProvider) -> None:
        vectors = await embeddings.embed([], EmbedKind.DOCUMENT, soon())
        assert vectors.shape == (0, (await embeddings.embedding_model(soon())).dimension)

    async def test_a_long_text_is_refused_or_read_to_its_end(self, embeddings: EmbeddingProvider) -> None:
        body = "The ferry leaves at nine. " * 3000
        try:
            first, second = await embeddings.embed(
                [body, body + "Fungi grow in damp cellars. " * 1000], EmbedKind.DOCUMENT, soon()
            )
        except ContextLengthExceeded:
            return
        assert float(first @ second) < 0.9999

    async def test_a_spent_deadline_starts_nothing(self, embeddings: EmbeddingProvider) -> None:
        with pytest.raises(DeadlineExceeded):
            await embeddings.embed(["a"], EmbedKind.QUERY, Deadline.after(-1))


class RerankContract:
    DOCUMENTS = ("Fungi grow in damp cellars.", "The ferry leaves at nine.", "When the ferry leaves, a bell rings.")

    async def test_best_first_and_at_most_top_n(self, rerank: RerankProvider) -> None:
        ranked = await rerank.rerank("when does the ferry leave", self.DOCUMENTS, 2, soon())
        assert {item.index for item in ranked} == {1, 2}
        assert ranked[0].score >= ranked[1].score

    async def test_more_asked_for_than_there_is(self, rerank: RerankProvider) -> None:
        ranked = await rerank.rerank("ferry", self.DOCUMENTS, 10, soon())
        assert sorted(item.index for item in ranked) == [0, 1, 2]

    async def test_nothing_to_rank(self, rerank: RerankProvider) -> None:
        assert await rerank.rerank("ferry", [], 3, soon()) == []

    async def test_a_spent_deadline_starts_nothing(self, rerank: RerankProvider) -> None:
        with pytest.raises(DeadlineExceeded):
            await rerank.rerank("ferry", self.DOCUMENTS, 3, Deadline.after(-1))
