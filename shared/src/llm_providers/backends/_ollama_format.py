"""Ollama's native format: requests, the guard against prompts that are cut in silence, and the stream."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from llm_providers.backends._answer_stream import AnswerStream
from llm_providers.errors import ContextLengthExceeded, StreamBroken
from llm_providers.prompting import estimate_prompt, render
from llm_providers.types import ChatEvent, ChatRequest, Usage

SMALLEST_CONTEXT = 4096
PROMPT_TRUNCATED = "prompt_truncated"


def context_for(request: ChatRequest, limit: int, backend: str) -> int:
    """Return the `num_ctx` to ask for: doubling steps, since Ollama reloads a model whose context changes.

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
    """Return a number of tokens that every tokenizer exceeds: a lower count means that part of the prompt was dropped."""
    texts = [render(message) for message in request.turns]
    words = sum(len(text.split()) for text in texts)
    # Scripts without spaces: several characters can be one token, hardly more than four.
    wide = sum(1 for text in texts for character in text if character > "\u2e80")
    return int(max(0.6 * words, 0.25 * wide))


def chat_body(request: ChatRequest, model: str, num_ctx: int, keep_alive: str) -> dict[str, Any]:
    """Return the JSON body of a streamed `/api/chat`; with `truncate` false, newer servers refuse instead of cutting."""
    limit, temperature = request.max_tokens, request.temperature
    options = {"num_ctx": num_ctx, "num_predict": limit, "temperature": temperature, **request.sampling}
    messages = []
    # A last turn that is the assistant's is continued.
    for message in request.turns:
        entry: dict[str, Any] = {"role": message.role, "content": render(message)}
        if message.images:
            entry["images"] = [base64.b64encode(image).decode() for image in message.images]
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


class PartReader(AnswerStream):
    """Reads lines of JSON one by one; only a part with `done` true ends an answer."""

    def read(self, line: bytes | None) -> list[ChatEvent]:
        if line is None:
            raise StreamBroken("the stream ended without done", backend=self._backend)
        part = json.loads(line)
        if "error" in part:
            raise StreamBroken(str(part["error"]), backend=self._backend)
        message = part.get("message") or {}
        events = self.add(message.get("content") or "", message.get("thinking") or "")
        return [*events, *self._end(part)] if part.get("done") else events

    def _end(self, part: dict[str, Any]) -> list[ChatEvent]:
        reason = part.get("done_reason", "stop")
        if reason not in ("stop", "length"):
            raise StreamBroken(f"the stream ended with done_reason {reason!r}", backend=self._backend)
        counted = part.get("prompt_eval_count")
        self._usage = Usage(counted or 0, part.get("eval_count") or 0, estimated=counted is None)
        # No count means that the whole prompt was cached, not that it was empty.
        if counted and counted < least_tokens(self._request):
            self.warnings = (PROMPT_TRUNCATED,)
        return self.end("length" if reason == "length" else "stop")


def context_tokens(shown: Mapping[str, Any]) -> int | None:
    """Return the context that a model was made for, from `/api/show`; None where it does not say."""
    info = shown.get("model_info") or {}
    lengths = [value for key, value in info.items() if key.endswith(".context_length")]
    return lengths[0] if lengths and isinstance(lengths[0], int) and lengths[0] > 0 else None
