"""The event stream of a chat completion in OpenAI's format."""

from __future__ import annotations

import json
from typing import Any

from llm_providers.backends._answer_stream import AnswerStream
from llm_providers.backends._errors import error_in_stream
from llm_providers.errors import StreamBroken
from llm_providers.types import ChatEvent, Usage

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")


class ChunkReader(AnswerStream):
    """Reads server-sent `data:` lines (WHATWG HTML, 9.2) one by one.

    Only a finish_reason of "stop" or "length" makes an answer: a server that is being stopped says "abort", and one that
    dies sends an error line before `[DONE]`, both with status 200. Some servers send no `[DONE]`.
    """

    _finish_reason = ""

    def read(self, line: bytes | None) -> list[ChatEvent]:
        if line is not None and not line.startswith(b"data:"):
            return []
        payload = b"[DONE]" if line is None else line[5:].strip()
        if payload == b"[DONE]":
            return self._end()
        chunk = json.loads(payload)
        if chunk.get("error"):
            raise error_in_stream(chunk["error"], self._backend)
        if counted := chunk.get("usage"):
            self.count(_usage(counted))
        events: list[ChatEvent] = []
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            reasoning = next((text for name in _REASONING_FIELDS if (text := delta.get(name))), "")
            events += self.add(_text(delta.get("content")), _text(reasoning))
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return events

    def _end(self) -> list[ChatEvent]:
        if self._finish_reason not in ("stop", "length", "eos_token", "stop_sequence"):
            reason = self._finish_reason or None
            raise StreamBroken(f"the stream ended with finish_reason {reason!r}", backend=self._backend)
        return self.end("length" if self._finish_reason == "length" else "stop")


def _usage(counted: dict[str, Any]) -> Usage:
    details = counted.get("completion_tokens_details") or {}
    return Usage(
        counted.get("prompt_tokens") or 0,
        counted.get("completion_tokens") or 0,
        estimated="completion_tokens" not in counted,
        reasoning_tokens=details.get("reasoning_tokens") or 0,
    )


def _text(content: Any) -> str:
    """Return content as text: a few servers send a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")
