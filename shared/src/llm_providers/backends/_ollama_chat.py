"""A chat request as Ollama's native API has it, its stream, and the guard against prompts cut in silence."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Literal

from llm_providers.backends._images import to_base64
from llm_providers.backends._lines import drain
from llm_providers.errors import ContextLengthExceeded, InvalidResponse, StreamBroken
from llm_providers.prompting import estimate_prompt, render
from llm_providers.types import ChatEvent, ChatRequest, Done, Started, Token, Usage

SMALLEST_CONTEXT = 4096
PROMPT_TRUNCATED = "prompt_truncated"


def context_for(request: ChatRequest, limit: int, backend: str) -> int:
    """The `num_ctx` to ask for: doubling steps, since Ollama reloads a model whose context changes.

    Raises `ContextLengthExceeded` where prompt and answer don't fit `limit`: Ollama would drop the prompt's beginning.
    """
    needed = estimate_prompt(request.turns) + request.max_tokens
    if needed > limit:
        raise ContextLengthExceeded(
            f"prompt and answer need about {needed} tokens, the context has {limit}", backend=backend
        )
    step = SMALLEST_CONTEXT
    while step < needed:
        step *= 2
    return min(step, limit)


def least_tokens(request: ChatRequest) -> int:
    """Fewer tokens than this no tokenizer makes of the prompt: a count below it means that some was dropped."""
    texts = [render(message) for message in request.turns]
    words = sum(len(text.split()) for text in texts)
    # Scripts without spaces: several characters can be one token, hardly more than four.
    wide = sum(1 for text in texts for character in text if character > "\u2e80")
    return int(max(0.6 * words, 0.25 * wide))


def to_body(request: ChatRequest, model: str, num_ctx: int, keep_alive: str | int) -> dict[str, Any]:
    """The JSON body of a streamed `/api/chat`; `truncate` false makes servers that know it refuse instead of cut."""
    options: dict[str, Any] = {
        "num_ctx": num_ctx,
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.stop:
        options["stop"] = list(request.stop)
    if request.seed is not None:
        options["seed"] = request.seed
    messages = []
    # A last turn that is the assistant's is taken up where it ends.
    for message in request.turns:
        entry: dict[str, Any] = {"role": message.role, "content": render(message)}
        if message.images:
            entry["images"] = [to_base64(image) for image in message.images]
        messages.append(entry)
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "truncate": False,
        "keep_alive": keep_alive,
        "options": options,
    }
    if request.json_schema is not None:
        body["format"] = dict(request.json_schema)
    return body


async def events(
    parts: AsyncIterator[bytes], request: ChatRequest, backend: str, model: str
) -> AsyncGenerator[ChatEvent, None]:
    """Turn lines of JSON into `Started`, `Token`… `Done`; only a part with `done` true ends an answer."""
    started = False
    async for line in parts:
        part = json.loads(line)
        if "error" in part:
            raise StreamBroken(str(part["error"]), backend=backend)
        if text := part["message"].get("content"):
            if not started:
                started = True
                yield Started(backend, model)
            yield Token(text)
        if part.get("done"):
            break
    else:
        raise StreamBroken("the stream ended without done", backend=backend)
    reason = part.get("done_reason", "stop")
    if reason not in ("stop", "length"):
        raise StreamBroken(f"the stream ended with done_reason {reason!r}", backend=backend)
    if not started:
        yield Started(backend, model)
    await drain(parts)
    yield _done(part, request)


def _done(part: dict[str, Any], request: ChatRequest) -> Done:
    counted = part.get("prompt_eval_count")
    usage = Usage(counted or 0, part.get("eval_count") or 0, estimated=counted is None)
    # No count means that the prompt was cached whole, not that it was empty.
    dropped = bool(counted) and usage.prompt_tokens < least_tokens(request)
    reason: Literal["stop", "length"] = "length" if part.get("done_reason") == "length" else "stop"
    return Done(reason, usage, (PROMPT_TRUNCATED,) if dropped else ())


def context_tokens(info: Mapping[str, Any] | None, backend: str) -> int:
    """The context a model was made for, from `/api/show`."""
    lengths = [value for key, value in (info or {}).items() if key.endswith(".context_length")]
    if not lengths or not isinstance(lengths[0], int):
        raise InvalidResponse("the model's context length is not told", backend=backend)
    return lengths[0]
