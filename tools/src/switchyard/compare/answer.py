"""The answer to one question over HTTP, timed by the client."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from service_kit.sse import EventReader
from switchyard.client import explain

BACKEND_HEADER = "X-Switchyard-Backend"


@dataclass(slots=True)
class Answer:
    """The answer to one request; times in seconds since it was sent, `error` names what went wrong."""

    question: int
    text: str = ""
    first_token: float | None = None
    seconds: float = 0.0
    search: float | None = None
    """The part of it before a model was asked, by the service's clock."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    answered: bool = False
    extractive: bool = False
    finish_reason: str = ""
    provider: str = ""
    model: str = ""
    citations: list[tuple[str, int, str]] = field(default_factory=list)
    """(document, page, title) of each."""
    degraded: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failovers: int = 0
    error: str | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.error is None


async def ask(
    session: aiohttp.ClientSession, backend: str, number: int, body: dict[str, Any], timeout: float
) -> Answer:
    """Ask `backend` and read the answer to its end; errors are in the answer, never raised."""
    answer = Answer(number)
    began = time.perf_counter()
    headers = {"Accept": "text/event-stream", BACKEND_HEADER: backend}
    try:
        async with asyncio.timeout(timeout), session.post("rag/v1/query", json=body, headers=headers) as response:
            if response.status != 200:
                words, kind = explain(response.status, await response.text(), str(response.url))
                answer.error, answer.detail = f"{response.status} {kind}".strip(), words
            else:
                await _read(response, answer, began)
    except TimeoutError:
        answer.error, answer.detail = "timeout", f"no end after {timeout:g} s"
    except aiohttp.ClientError as error:
        answer.error, answer.detail = type(error).__name__, str(error)
    except (ValueError, KeyError, TypeError) as error:
        answer.error, answer.detail = "malformed event", f"{type(error).__name__}: {error}"
    answer.seconds = time.perf_counter() - began
    return answer


async def _read(response: aiohttp.ClientResponse, answer: Answer, began: float) -> None:
    pieces: list[str] = []
    answer.error = "cut off"
    reader = EventReader()
    # Not line by line: aiohttp refuses lines of more than 128 KiB, and the sources are one line.
    async for chunk in response.content.iter_any():
        for event, data in reader.feed(chunk):
            _apply(answer, pieces, event, json.loads(data), began)
    answer.text = "".join(pieces)


def _apply(answer: Answer, pieces: list[str], event: str, data: dict[str, Any], began: float) -> None:
    match event:
        case "token":
            if answer.first_token is None:
                answer.first_token = time.perf_counter() - began
            pieces.append(data["text"])
        case "failover":
            answer.failovers += 1
            if data.get("restarted"):
                pieces.clear()
        case "error":
            answer.error = f"in mid-answer: {str(data.get('type', '')).rsplit(':', 1)[-1]}"
            answer.detail = str(data.get("detail", ""))
        case "cancelled":
            answer.error, answer.detail = "cancelled", str(data.get("detail", ""))
        case "done":
            if data.get("replaced"):
                pieces[:] = [data["text"]]
            _done(answer, data)


def _done(answer: Answer, data: dict[str, Any]) -> None:
    usage = data["usage"]
    answer.error = None
    answer.prompt_tokens, answer.completion_tokens = usage["prompt_tokens"], usage["completion_tokens"]
    answer.estimated = usage.get("estimated", False)
    answer.answered, answer.extractive = data["answered"], data.get("extractive", False)
    answer.search = data.get("seconds", {}).get("retrieval")
    answer.finish_reason = data.get("finish_reason", "")
    answer.provider, answer.model = data["provider"], data["model"]
    answer.citations = [(cited["document_id"], cited["page"], cited["title"]) for cited in data["citations"]]
    answer.degraded, answer.warnings = list(data.get("degraded", ())), list(data.get("warnings", ()))
