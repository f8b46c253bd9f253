"""The messages of a request as turns: one that the client cannot send otherwise is read as text, and cuts are said."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Literal, NoReturn

from llm_providers.types import Message
from rag_service.conversations import REMEMBERED
from rag_service.routes.openai.schemas import ChatMessage, ContentPart
from rag_service.schemas import MAX_QUESTION
from service_kit.errors import InvalidInput

MAX_MESSAGES = 200
MAX_CHARACTERS = 200_000
MAX_IMAGES, MAX_IMAGE_BYTES = 8, 10_000_000
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
}
"""The others are the user's: what a tool returned is no word of the model's."""


def direct_turns(messages: Sequence[ChatMessage]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the messages for a model without documents, within the budget, and warnings; raises `InvalidInput`."""
    if messages[-1].role not in ("user", "tool", "function"):
        raise InvalidInput("the last message must be the user's, or a tool's", field="messages")
    turns = [_turn(index, message) for index, message in enumerate(messages)]
    kept = _within_budget(turns)
    if sum(len(turn.images) for turn in kept) > MAX_IMAGES:
        raise InvalidInput(f"the messages have more than {MAX_IMAGES} images", field="messages")
    return tuple(kept), _cut_words(len(turns) - len(kept))


def question_and_history(messages: Sequence[ChatMessage]) -> tuple[str, tuple[Message, ...], tuple[str, ...]]:
    """Return the last user message, the turns before it, and warnings of what was left out; raises `InvalidInput`."""
    if messages[-1].role != "user":
        raise InvalidInput("the last message must be the user's", field="messages")
    turns = [_turn(index, message) for index, message in enumerate(messages)]
    for index, turn in enumerate(turns):
        if turn.images:
            _refuse(
                index, "a collection is asked in words; switchyard/direct sees images where a vision model is served"
            )
    question = turns[-1].content.strip()
    if not question or len(question) > MAX_QUESTION:
        raise InvalidInput(f"a question has 1 to {MAX_QUESTION} characters", field="messages")
    spoken = [
        turn
        for turn, message in zip(turns[:-1], messages, strict=False)
        if message.role in ("user", "assistant") and turn.content
    ]
    kept = spoken[-REMEMBERED:]
    warnings = list(_cut_words(len(spoken) - len(kept)))
    if any(message.role in ("system", "developer") for message in messages):
        warnings.append("instructions in system messages are not followed: answers come from documents by fixed rules")
    if any(message.role in ("tool", "function") for message in messages):
        warnings.append("results of tools in the messages were not read: answers come from documents")
    if any(len(turn.content) > MAX_QUESTION for turn in kept):
        warnings.append(f"earlier messages were read up to {MAX_QUESTION} characters")
    history = tuple(Message(turn.role, turn.content[:MAX_QUESTION]) for turn in kept)
    return question, history, tuple(warnings)


def _within_budget(turns: list[Message]) -> list[Message]:
    """Drop the oldest turns that are no instructions; raises `InvalidInput` where the last one alone is too long."""
    fixed = [turn for turn in turns[:-1] if turn.role == "system"]
    left = MAX_CHARACTERS - sum(len(turn.content) for turn in (*fixed, turns[-1]))
    places = MAX_MESSAGES - len(fixed) - 1
    if left < 0 or places < 0:
        raise InvalidInput(
            f"the last message and the instructions alone are more than {MAX_CHARACTERS} characters or {MAX_MESSAGES} "
            "messages",
            field="messages",
        )
    kept = {len(turns) - 1}
    for index in range(len(turns) - 2, -1, -1):
        if turns[index].role == "system":
            continue
        left, places = left - len(turns[index].content), places - 1
        if left < 0 or places < 0:
            break
        kept.add(index)
    return [turn for index, turn in enumerate(turns) if index in kept or turn.role == "system"]


def _cut_words(count: int) -> tuple[str, ...]:
    return (f"the oldest {count} messages were left out: they are beyond the budget",) if count else ()


def _turn(index: int, message: ChatMessage) -> Message:
    parts = (
        [ContentPart(type="text", text=message.content)] if isinstance(message.content, str) else message.content or []
    )
    texts, images = [], []
    for part in parts:
        match part.type:
            case "text" | "refusal":
                texts.append(part.text or part.refusal or "")
            case "image_url" if message.role == "user" and part.image_url is not None:
                images.append(_image(index, part.image_url.url))
            case "image_url":
                _refuse(index, "only a user's message may have images")
            case _:
                _refuse(index, f"parts of type {part.type!r} are not read; text and image_url are")
    calls = [call.function for call in message.tool_calls or [] if call.function] + (
        [message.function_call] if message.function_call else []
    )
    texts += [f"[called {call.name} with {call.arguments}]" for call in calls]
    text = "\n".join(text for text in texts if text).replace("\x00", "")
    if message.role in ("tool", "function"):
        text = f"[result of {message.name or 'the tool'}]\n{text}"
    return Message(_ROLES.get(message.role, "user"), text, images=tuple(images))


def _image(index: int, url: str) -> bytes:
    """Return the bytes of a `data:` URL (RFC 2397) with a PNG or JPEG in base64; nothing is fetched."""
    if not url.startswith("data:"):
        _refuse(index, "images are taken as data: URLs only; nothing is fetched from a URL")
    head, _, content = url.partition(",")
    if not head.endswith(";base64"):
        _refuse(index, "an image's data: URL must be in base64")
    if len(content) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        _refuse(index, f"an image has more than {MAX_IMAGE_BYTES:,} bytes")
    try:
        image = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        _refuse(index, "an image's base64 is not valid")
    if not image.startswith(_PICTURES):
        _refuse(index, "an image is neither PNG nor JPEG")
    return image


def _refuse(index: int, reason: str) -> NoReturn:
    raise InvalidInput(f"messages.{index}: {reason}", field=f"messages.{index}.content")
