"""OpenAI's wire format: requests as servers want them, answers read tolerantly, and the stream."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llm_providers.backends._answer_stream import AnswerStream
from llm_providers.backends._errors import error_in_stream, translated
from llm_providers.engines.table import StructuredOutput
from llm_providers.errors import InvalidResponse, ModelNotFound, StreamBroken
from llm_providers.prompting import render
from llm_providers.types import ChatEvent, ChatRequest, Message, Ranked, Usage

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")

_SIMPLER: dict[StructuredOutput, StructuredOutput] = {"json_schema": "json_object", "json_object": "none"}
# llama.cpp complains of a "JSON schema" or of the grammar that it makes of one.
_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "guided", "json schema", "grammar")

_IMAGE_TYPES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""By first bytes."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server understands of the optional parts of a chat request."""

    structured_output: StructuredOutput = "json_schema"
    stream_usage: bool = True

    def simpler(self, request: ChatRequest, complaint: str) -> Dialect | None:
        """Return the dialect to try after a rejection; None where the rejection was about something else."""
        words = complaint.lower()
        if self.stream_usage and ("stream_options" in words or "include_usage" in words):
            return replace(self, stream_usage=False)
        about_format = any(name in words for name in _FORMAT_WORDS)
        if request.json_schema is not None and about_format and self.structured_output in _SIMPLER:
            return replace(self, structured_output=_SIMPLER[self.structured_output])
        return None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as `/v1/models` lists it; `owned_by` is what the server calls itself, "" if nothing."""

    owned_by: str = ""
    context_tokens: int | None = None
    weights: str | None = None
    version: str | None = None


def chat_body(request: ChatRequest, model: str, dialect: Dialect) -> dict[str, Any]:
    """Return the JSON body of a streamed chat completion."""
    body: dict[str, Any] = {
        "model": model,
        "messages": messages(request.turns),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        **request.sampling,
        "stream": True,
    }
    if dialect.stream_usage:
        body["stream_options"] = {"include_usage": True}
    if request.prefix:
        # Without them vLLM's template would close the turn and open another.
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.json_schema is not None:
        schema = dict(request.json_schema)
        if dialect.structured_output == "json_schema":
            format_ = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": format_}
        else:
            words = f"Reply with one JSON object only. It must fit this JSON Schema: {json.dumps(schema)}"
            body["messages"].insert(0, {"role": "system", "content": words})
            if dialect.structured_output == "json_object":
                body["response_format"] = {"type": "json_object"}
    return body


def messages(turns: Sequence[Message]) -> list[dict[str, Any]]:
    """Return turns as the format has them, sources within the text of theirs."""
    return [_message(message) for message in turns]


def token_count(answer: object, backend: str) -> int:
    """Return the number of tokens that vLLM's `/tokenize` counted."""
    with translated(backend):
        count = answer["count"] if isinstance(answer, dict) else None
        if not isinstance(count, int) or count < 0:
            raise InvalidResponse("it counted no tokens", backend=backend)
        return count


def model_entry(listing: object, model: str, backend: str) -> ModelEntry:
    """Return the model's entry; raises `ModelNotFound` where the server lists others only.

    llama.cpp answers to any name, so that what it lists is what serves; a server that lists nothing says nothing.
    """
    with translated(backend):
        entries = listing["data"] if isinstance(listing, dict) else listing
        if not isinstance(entries, list):
            raise InvalidResponse("the list of models is not a list", backend=backend)
        entry = next((entry for entry in entries if model in (entry.get("id"), entry.get("name"))), None)
        if entry is None and len(entries) == 1 and entries[0].get("owned_by") == "llamacpp":
            entry = entries[0]
        if entry is None:
            if entries:
                raise ModelNotFound(f"the server does not serve {model!r}", backend=backend)
            return ModelEntry()
        root = entry.get("root")
        return ModelEntry(str(entry.get("owned_by") or ""), _context_tokens(entry), str(root) if root else None)


def with_properties(entry: ModelEntry, properties: Any, backend: str) -> ModelEntry:
    """Return llama.cpp's entry with what only its `/props` says; the context is that of one request of several."""
    with translated(backend):
        return replace(
            entry,
            context_tokens=properties["default_generation_settings"]["n_ctx"],
            weights=properties.get("model_path"),
            version=properties.get("build_info"),
        )


def _context_tokens(entry: dict[str, Any]) -> int | None:
    """Return the context length by whichever name the server has for it; None where it tells none."""
    meta = entry.get("meta") or {}
    names = ("max_model_len", "loaded_context_length", "context_length", "max_context_length", "context_window")
    values = [*map(entry.get, names), meta.get("n_ctx")]
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def vectors(answer: Any, backend: str) -> list[Any]:
    """Return the rows in the order of the input, whether they came as floats or as base64."""
    with translated(backend):
        data = answer["data"]
        if all("index" in item for item in data):
            data = sorted(data, key=lambda item: item["index"])
        rows = [item["embedding"] for item in data]
        return [np.frombuffer(base64.b64decode(row), dtype="<f4") if isinstance(row, str) else row for row in rows]


def ranks(answer: Any, backend: str) -> list[Ranked]:
    """Return the results as the server ordered them."""
    with translated(backend):
        results = answer["results"] if isinstance(answer, dict) else answer
        return [
            Ranked(int(item["index"]), float(item.get("relevance_score", item.get("score", 0.0)))) for item in results
        ]


def _message(message: Message) -> dict[str, Any]:
    text = render(message)
    if not message.images:
        return {"role": message.role, "content": text}
    images = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": text}]}


def _data_url(image: bytes) -> str:
    """Return a `data:` URL (RFC 2397)."""
    kind = next((f"image/{kind}" for magic, kind in _IMAGE_TYPES.items() if image.startswith(magic)), None)
    return f"data:{kind or 'application/octet-stream'};base64,{base64.b64encode(image).decode()}"


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
            self._usage = _usage(counted)
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
