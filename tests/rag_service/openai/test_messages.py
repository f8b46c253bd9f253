"""Messages as clients send them: every role, parts, nothing at all, and more than there is room for."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest

from engines import OllamaEngine, OpenAIEngine
from harness.rag import Stack
from rag_service.routes.openai.messages import MAX_IMAGE_BYTES, MAX_IMAGES, direct_turns
from rag_service.routes.openai.schemas import ChatMessage
from service_kit.errors import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
DIRECT = "switchyard/direct"
WITH_TOOLS: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is the"}, {"type": "text", "text": "fine?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "fine"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "ten cents"},
    {"role": "function", "name": "old_look_up", "content": "ten cents"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "I can't."}]},
    {"role": "user", "content": "And how long are books lent?", "name": "anna"},
]


def sent(engine: OpenAIEngine) -> list[dict[str, Any]]:
    """The messages of the last request that the engine got."""
    return list(engine.requests("/chat/completions")[-1].body["messages"])


def picture(url: str) -> list[Any]:
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


async def test_every_role_reaches_the_model_as_text(client: openai.AsyncOpenAI, engine: OpenAIEngine) -> None:
    await client.chat.completions.create(model=DIRECT, messages=WITH_TOOLS)
    turns = [(message["role"], message["content"]) for message in sent(engine)]
    assert turns == [
        ("system", "Be brief."),
        ("user", "What is the\nfine?"),
        ("assistant", '[called look_up with {"word": "fine"}]'),
        ("user", "[result of the tool]\nten cents"),
        ("user", "[result of old_look_up]\nten cents"),
        ("assistant", "I can't."),
        ("user", "And how long are books lent?"),
    ]


async def test_a_tools_result_may_come_last(client: openai.AsyncOpenAI, engine: OpenAIEngine) -> None:
    await client.chat.completions.create(model=DIRECT, messages=WITH_TOOLS[:4])
    assert sent(engine)[-1]["content"] == "[result of the tool]\nten cents"


async def test_a_collection_says_what_of_the_messages_it_does_not_read(filled: Stack, engine: OpenAIEngine) -> None:
    answer = await filled.http.post("/v1/chat/completions", json={"model": "default", "messages": WITH_TOOLS})
    assert answer.status_code == 200, answer.text
    warnings = " ".join(answer.json()["switchyard"]["warnings"])
    assert "system messages" in warnings
    assert "results of tools" in warnings
    assert "Be brief." not in str(sent(engine))


@pytest.mark.parametrize(("each", "kept"), [("word", 200), ("x" * 1999, 101)])
async def test_the_oldest_messages_are_cut_to_the_budget_and_it_is_said(
    scripted: Stack, engine: OpenAIEngine, each: str, kept: int
) -> None:
    turns = [{"role": ("user", "assistant")[number % 2], "content": f"{number:03}{each}"} for number in range(300)]
    messages = [{"role": "system", "content": "Rules."}, *turns, {"role": "user", "content": "Last?"}]
    body = {"model": DIRECT, "messages": messages}
    answer = await scripted.http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    (warning,) = answer.json()["switchyard"]["warnings"]
    contents = [message["content"] for message in sent(engine)]
    assert f"oldest {302 - len(contents)} messages" in warning
    assert (contents[0], contents[1][:3], contents[-2][:3], contents[-1]) == (
        "Rules.",
        f"{302 - len(contents):03}",
        "299",
        "Last?",
    )
    assert len(contents) == kept
    assert sum(map(len, contents)) <= 200_000

    async with scripted.http.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as stream:
        assert warning in (await stream.aread()).decode()


async def test_one_message_that_is_too_long_is_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="200000 characters") as caught:
        await client.chat.completions.create(model=DIRECT, messages=[{"role": "user", "content": "x" * 200_001}])
    assert caught.value.param == "messages"


async def test_a_long_conversation_with_a_collection_is_cut_too(filled: Stack) -> None:
    turns = [{"role": ("user", "assistant")[number % 2], "content": f"turn {number}"} for number in range(300)]
    body = {"model": "default", "messages": [*turns, {"role": "user", "content": "How long are books lent?"}]}
    answer = (await filled.http.post("/v1/chat/completions", json=body)).json()
    assert "oldest 292 messages" in answer["switchyard"]["warnings"][0]


async def test_images_go_to_the_vision_model(with_vision: Stack, seeing: OllamaEngine, engine: OpenAIEngine) -> None:
    body = {"model": DIRECT, "messages": picture(data_url(PNG))}
    answer = (await with_vision.http.post("/v1/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"] == "A red pump."
    assert answer["switchyard"]["model"] == "llava"
    (image,) = seeing.requests("/api/chat")[-1].body["messages"][0]["images"]
    assert base64.b64decode(image) == PNG
    assert not engine.requests("/chat/completions") or all(
        "What is this?" not in str(seen.body) for seen in engine.requests("/chat/completions")
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "nothing is fetched"),
        ("https://example.org/a.png", "nothing is fetched"),
        ("file:///etc/passwd", "nothing is fetched"),
        ("data:image/png,abc", "base64"),
        ("data:image/png;base64,%%%", "not valid"),
        (data_url(b"GIF89a" + bytes(20), "image/gif"), "neither PNG nor JPEG"),
        (data_url(b"<svg/>", "image/png"), "neither PNG nor JPEG"),
    ],
)
async def test_images_that_are_refused(scripted: Stack, url: str, reason: str) -> None:
    answer = await scripted.http.post("/v1/chat/completions", json={"model": DIRECT, "messages": picture(url)})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert reason in error["message"]
    assert error["param"] == "messages.0.content"


async def test_images_without_a_vision_model_and_for_a_collection(scripted: Stack) -> None:
    for model, reason in ((DIRECT, "no vision model"), ("default", "a collection is asked in words")):
        body = {"model": model, "messages": picture(data_url(PNG))}
        answer = await scripted.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 422
        assert reason in answer.json()["error"]["message"]


async def test_other_parts_are_refused_by_their_type(client: openai.AsyncOpenAI) -> None:
    audio: Any = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}]
    with pytest.raises(openai.UnprocessableEntityError, match="input_audio"):
        await client.chat.completions.create(model=DIRECT, messages=audio)


def test_an_image_and_their_number_are_bounded() -> None:
    def asked(*urls: str) -> list[ChatMessage]:
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [ChatMessage.model_validate({"role": "user", "content": parts})]

    kept, _ = direct_turns(asked(*[data_url(PNG)] * MAX_IMAGES))
    assert kept[0].images == (PNG,) * MAX_IMAGES
    with pytest.raises(InvalidInput, match="more than 8 images"):
        direct_turns(asked(*[data_url(PNG)] * (MAX_IMAGES + 1)))
    with pytest.raises(InvalidInput, match="10,000,000 bytes"):
        direct_turns(asked(data_url(PNG + bytes(MAX_IMAGE_BYTES))))
