"""What OpenAI's SDK makes of the endpoint beyond plain calls."""

from __future__ import annotations

from typing import Any

import openai
from pydantic import BaseModel

from harness.rag import Stack

HELLO: list[Any] = [{"role": "user", "content": "How long are books lent?"}]


class Loan(BaseModel):
    days: int


async def test_parsed_answers(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model="switchyard/direct", messages=HELLO, response_format=Loan)
    assert answer.choices[0].message.parsed == Loan(days=1)


async def test_the_streaming_helper(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="switchyard/direct", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta async for event in stream if event.type == "content.delta"]
        whole = await stream.get_final_completion()
    assert "".join(pieces) == whole.choices[0].message.content == "Three weeks, and ten cents a day after that."
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0


async def test_an_answer_given_back_as_history(filled: Stack, client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="default", messages=HELLO)
    history = [*HELLO, answer.choices[0].message.model_dump(), {"role": "user", "content": "And the fine?"}]
    again = await client.chat.completions.create(model="default", messages=history)
    assert again.choices[0].message.content
