"""Answers in the format: the chunks of a stream, the counts of tokens, and what the format has no place for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import structlog

from llm_providers.errors import ProviderError, StreamBroken
from llm_providers.types import Failover, Thought, Token
from rag_service.answers import Answered, AnswerEvent
from rag_service.routes.openai.errors import openai_error
from service_kit.errors import ServiceError, UpstreamUnavailable
from service_kit.problems import problem

log = structlog.get_logger(__name__)
_MARK = "\u0001"


async def frames(
    head: dict[str, Any],
    first: list[AnswerEvent],
    events: AsyncGenerator[AnswerEvent, None],
    warnings: Sequence[str],
    *,
    usage: bool,
) -> AsyncGenerator[str, None]:
    """Encode the events of an answer; a failure ends the stream with an error in the format."""
    chunks = _Chunks({**head, "object": "chat.completion.chunk"}, warnings, usage=usage)
    try:
        yield chunks.opening()
        async with aclosing(events):
            for event in first:
                yield chunks.encode(event)
            async for event in events:
                yield chunks.encode(event)
        yield "data: [DONE]\n\n"
    except asyncio.CancelledError:
        # The service stops. Where the client has gone away, this reaches nobody, and the response is cancelled again.
        yield _error(UpstreamUnavailable("the service is stopping; ask again"))
    except Exception as error:
        expected = isinstance(error, ServiceError | ProviderError)
        log.warning("answer broke off", error=type(error).__name__, exc_info=None if expected else error)
        # No [DONE]: a client must not take what it has for a whole answer.
        yield _error(error)


def _error(error: Exception) -> str:
    return _data({"error": openai_error(problem(error))})


class _Chunks:
    """Encodes the events of one answer as chunks of the format."""

    def __init__(self, base: dict[str, Any], warnings: Sequence[str], *, usage: bool) -> None:
        self._base, self._warnings, self._wants_usage = base, warnings, usage
        self._failovers: list[Failover] = []
        # All chunks of text are alike but for it: encoding each whole would be most of what a token costs here.
        self._before, self._after = _chunk(base, {"content": _MARK}).split(json.dumps(_MARK))

    def opening(self) -> str:
        return _chunk(self._base, {"role": "assistant", "content": ""})

    def encode(self, event: AnswerEvent) -> str:
        """Return the frames of an event, "" where the format has none; raises `StreamBroken` for a restart."""
        match event:
            case Token():
                return f"{self._before}{json.dumps(event.text, ensure_ascii=False)}{self._after}"
            case Thought():
                return _chunk(self._base, {"reasoning_content": event.text})
            case Failover():
                if event.restarted:
                    # What was sent can't be taken back in this format.
                    raise StreamBroken(f"{event.from_backend} broke off", backend=event.from_backend)
                self._failovers.append(event)
            case Answered():
                extra = answer_extra(event, self._failovers, self._warnings)
                # What was sent can't be taken back in this format, but it can be followed by what holds.
                delta = {"content": f"\n\n{event.text}"} if event.replaced else {}
                end = _chunk({**self._base, "switchyard": extra}, delta, finish_reason(event))
                counts = {**self._base, "choices": [], "usage": token_usage(event)}
                return end + (_data(counts) if self._wants_usage else "")
        return ""


def _chunk(base: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None) -> str:
    return _data({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}]})


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def finish_reason(answered: Answered) -> str:
    """Return the reason in the format's own words, which have none for a loop that was cut."""
    return "stop" if answered.finish_reason == "repetition" else answered.finish_reason


def token_usage(answered: Answered) -> dict[str, Any]:
    """Return the counts of tokens as the format has them."""
    usage = answered.usage
    counts = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    details = {"completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}}
    return {**counts, "total_tokens": sum(counts.values()), **(details if usage.reasoning_tokens else {})}


def answer_extra(answered: Answered, failovers: Sequence[Failover], warnings: Sequence[str]) -> dict[str, Any]:
    """Return the member `switchyard`; `warnings` are those of the request, before the answer's own."""
    failed_over = [{"from": event.from_backend, "to": event.to_backend, "reason": event.reason} for event in failovers]
    return {
        **({"failovers": failed_over} if failed_over else {}),
        "answered": answered.answered,
        **({"replaced": True} if answered.replaced else {}),
        "citations": [citation.model_dump() for citation in answered.citations],
        "provider": answered.backend,
        "model": answered.model,
        "extractive": answered.extractive,
        "degraded": list(answered.degraded),
        "warnings": [*warnings, *answered.warnings],
    }
