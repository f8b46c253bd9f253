"""A chat request as the OpenAI protocol has it, and its event stream.

The SDK's own chunk models cost more than everything else on the way (a pydantic object per token): chunks are read here
as plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from llm_providers.backends._images import to_data_url
from llm_providers.backends._lines import drain
from llm_providers.backends._openai_errors import from_line
from llm_providers.errors import InvalidResponse, StreamBroken
from llm_providers.prompting import render
from llm_providers.types import ChatEvent, ChatRequest, Done, Message, Started, Token, Usage


def to_body(request: ChatRequest, model: str) -> dict[str, Any]:
    """The JSON body of a streamed chat completion."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.turns],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.prefix:
        # vLLM's own: without them the template would close the turn and open another.
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _message(message: Message) -> dict[str, Any]:
    text = render(message)
    if not message.images:
        return {"role": message.role, "content": text}
    images = [{"type": "image_url", "image_url": {"url": to_data_url(image)}} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": text}]}


async def events(payloads: AsyncIterator[bytes], backend: str, model: str) -> AsyncGenerator[ChatEvent, None]:
    """Turn payloads into `Started`, `Token`… `Done`.

    Only a finish_reason of "stop" or "length" followed by `[DONE]` is an answer: a server that is told to stop says
    "abort", and one that dies sends an error line before `[DONE]`; both with status 200.
    """
    started, reason, usage = False, "", Usage(estimated=True)
    async for payload in payloads:
        if payload == b"[DONE]":
            break
        chunk = json.loads(payload)
        if "error" in chunk:
            raise from_line(chunk["error"], backend)
        if counted := chunk.get("usage"):
            usage = Usage(counted["prompt_tokens"], counted["completion_tokens"])
        for choice in chunk["choices"][:1]:
            if text := choice["delta"].get("content"):
                if not started:
                    started = True
                    yield Started(backend, model)
                yield Token(text)
            reason = choice.get("finish_reason") or reason
    else:
        raise StreamBroken("the stream ended without [DONE]", backend=backend)
    if reason not in ("stop", "length"):
        raise StreamBroken(f"the stream ended with finish_reason {reason or None!r}", backend=backend)
    if not started:
        yield Started(backend, model)
    await drain(payloads)
    yield Done("stop" if reason == "stop" else "length", usage)


def context_tokens(listing: object, model: str, backend: str) -> int | None:
    """The context of `model` in an answer of `/v1/models`; None if the server does not list it."""
    if not isinstance(listing, dict) or not isinstance(listing.get("data"), list):
        raise InvalidResponse("the list of models is no list", backend=backend)
    entry = next((entry for entry in listing["data"] if entry["id"] == model), None)
    return None if entry is None else int(entry.get("max_model_len") or 0)
