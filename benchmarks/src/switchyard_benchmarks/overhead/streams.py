"""Paths to one streamed answer: directly, through the provider package, through a service."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import aiohttp

from llm_providers import ProviderSettings, get_provider
from llm_providers.settings import OllamaSettings, ResilienceSettings, SelectionSettings, TimeSettings, VLLMSettings
from llm_providers.types import ChatRequest, Message, Role, Token
from service_kit.metrics import Metrics
from service_kit.sse import EventReader
from switchyard_benchmarks.overhead.engine import MODEL, TOKENS

PROMPT = "Say something."


@dataclass(frozen=True, slots=True)
class Stream:
    """Seconds from the request to the first token and to the end; an incomplete answer has an error."""

    first: float
    total: float
    error: str = ""


Ask: TypeAlias = Callable[[], Awaitable[Stream]]


async def by_wire(session: aiohttp.ClientSession, url: str, model: str, key: str = "") -> Stream:
    """Ask an OpenAI-compatible endpoint with nothing but an HTTP client."""
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": True, "max_tokens": 1024}
    begun, first, tokens, ended = perf_counter(), 0.0, 0, False
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with session.post(f"{url}/chat/completions", json=body, headers=headers) as response:
            if response.status != 200:
                return Stream(0, perf_counter() - begun, f"status {response.status}")
            reader = EventReader()
            async for chunk in response.content.iter_any():
                for _, data in reader.feed(chunk):
                    if data == "[DONE]":
                        ended = True
                    elif _has_text(json.loads(data)):
                        first = first or perf_counter() - begun
                        tokens += 1
    except aiohttp.ClientError as error:
        return Stream(first, perf_counter() - begun, type(error).__name__)
    whole = ended and tokens == TOKENS
    return Stream(first, perf_counter() - begun, "" if whole else f"{tokens} of {TOKENS} tokens")


def _has_text(chunk: dict[str, Any]) -> bool:
    return bool(chunk["choices"]) and bool(chunk["choices"][0]["delta"].get("content"))


@asynccontextmanager
async def wire(url: str, model: str, key: str = "") -> AsyncGenerator[Ask, None]:
    """Ask by wire, with a pool of connections."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield lambda: by_wire(session, url, model, key)


@asynccontextmanager
async def package(
    policy: Path,
    primary: str | None = None,
    fallback: str | None = None,
    *,
    first_token_timeout: float = 120.0,
    breaker_failures: int = 5,
) -> AsyncGenerator[Ask, None]:
    """Ask through the provider package as a service uses it: policy file, breaker, metrics, Ollama as the fallback.

    Without a `primary` the fallback is asked alone.
    """
    settings = ProviderSettings(
        selection=SelectionSettings(llm_provider="vllm" if primary else "ollama", use_vision_analysis=False),
        vllm=VLLMSettings(url=primary or "http://127.0.0.1:9/v1", model=MODEL, fallback=fallback is not None),
        ollama=OllamaSettings(url=fallback or "http://127.0.0.1:9", model=MODEL),
        times=TimeSettings(first_token_timeout=first_token_timeout),
        resilience=ResilienceSettings(probe_interval=3600, breaker_failures=breaker_failures),
    )
    async with get_provider(settings, Metrics(), policy, [Role.TEXT]) as providers:
        await providers.start(set())

        async def ask() -> Stream:
            begun, first, tokens = perf_counter(), 0.0, 0
            try:
                request = ChatRequest((Message("user", PROMPT),))
                async with aclosing(providers.text.chat(request, providers.deadline())) as events:
                    async for event in events:
                        if isinstance(event, Token):
                            first = first or perf_counter() - begun
                            tokens += 1
            except Exception as error:  # any error is a failed request, and its name is the result
                return Stream(first, perf_counter() - begun, type(error).__name__)
            whole = "" if tokens == TOKENS else f"{tokens} of {TOKENS} tokens"
            return Stream(first, perf_counter() - begun, whole)

        yield ask
