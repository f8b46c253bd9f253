"""Ollama by its native API: the OpenAI-compatible one cannot set `num_ctx`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Self

import httpx
import numpy as np
from httpx_aiohttp import AiohttpTransport
from ollama import AsyncClient

from llm_providers.backends._embedders import Embedder, known_embedder
from llm_providers.backends._lines import lines
from llm_providers.backends._mapping import inside_stream
from llm_providers.backends._memo import Memo
from llm_providers.backends._ollama_chat import context_for, context_tokens, events, to_body
from llm_providers.backends._ollama_errors import ollama_errors, rejection
from llm_providers.backends._pacing import Pulse, paced
from llm_providers.backends._tls import trust
from llm_providers.backends._vectors import unit_rows
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.dropin import DropIn
from llm_providers.errors import NotConfigured
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Role, Vectors

_KEEPALIVE_SECONDS = 15.0


class OllamaProvider(DropIn):
    """Text or vision by `model`, embeddings by `embed_model`; owns its pool of connections."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        embed_model: str = "",
        keep_alive: str | int = "5m",
        max_context: int = 32768,
        timeouts: Timeouts | None = None,
        embedder: Embedder | None = None,
        name: str = "ollama",
    ) -> None:
        self._arguments: dict[str, Any] = {
            "url": url,
            "model": model,
            "embed_model": embed_model,
            "keep_alive": keep_alive,
            "max_context": max_context,
            "timeouts": timeouts,
            "embedder": embedder,
            "name": name,
        }
        self._name, self._timeouts = name, timeouts or Timeouts()
        self.model, self.embed_model = model, embed_model
        self._keep_alive, self._max_context = keep_alive, max_context
        self._embedder = embedder or known_embedder(embed_model)
        # Reads have no time-out of their own: every exchange is paced under the request's deadline.
        with ollama_errors(name):
            self._client = AsyncClient(
                host=url,
                timeout=httpx.Timeout(None, connect=self._timeouts.connect),
                # httpx's own pool looks at every connection for every request: dozens at once wait for one another.
                transport=AiohttpTransport(
                    verify=trust(), limits=httpx.Limits(max_connections=1000, keepalive_expiry=_KEEPALIVE_SECONDS)
                ),
            )
        self._pulse = Pulse(self._beat)
        self._contexts: Memo[int] = Memo()
        self._dimensions: Memo[int] = Memo()
        self._asked = 0

    @property
    def name(self) -> str:
        return self._name

    def fresh(self) -> Self:
        return type(self)(**self._arguments)

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        limit = (await self.info(deadline)).context_tokens
        # A context once given is kept: going back would make Ollama load the model again.
        self._asked = min(limit, max(self._asked, context_for(request, limit, self._name)))
        async with aclosing(paced(self._events(request, self._asked), deadline, self._timeouts, self._pulse)) as stream:
            async for event in stream:
                yield event

    async def _events(self, request: ChatRequest, num_ctx: int) -> AsyncGenerator[ChatEvent, None]:
        body = to_body(request, self.model, num_ctx, self._keep_alive)
        with ollama_errors(self._name):
            # The client's own `chat` knows no `truncate`, and tears lines apart.
            async with self._client._client.stream("POST", "/api/chat", json=body) as response:
                if response.is_error:
                    raise rejection(response.status_code, await response.aread(), response.headers, self._name)
                with inside_stream(self._name), ollama_errors(self._name):
                    async with (
                        aclosing(response.aiter_bytes()) as chunks,
                        aclosing(lines(chunks)) as parts,
                        aclosing(events(parts, request, self._name, self.model)) as stream,
                    ):
                        async for event in stream:
                            yield event

    async def info(self, deadline: Deadline) -> ModelInfo:
        return ModelInfo(self._name, self.model, await self._limit(self.model, deadline))

    async def _limit(self, model: str, deadline: Deadline) -> int:
        async def load() -> int:
            async with deadline.limit(self._timeouts.idle, "/api/show"):
                with ollama_errors(self._name):
                    return context_tokens((await self._client.show(model)).modelinfo, self._name)

        return min(self._max_context, await self._contexts.get(model, load))

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        if not self.embed_model:
            raise NotConfigured("OLLAMA_EMBED_MODEL is not set", backend=self._name)
        if not texts:
            return np.zeros((0, (await self.embedding_model(deadline)).dimension), dtype=np.float32)
        # Always the whole context, so that the model is never loaded twice.
        limit = await self._limit(self.embed_model, deadline)
        async with deadline.limit(self._timeouts.first_token, "/api/embed"):
            with ollama_errors(self._name):
                answer = await self._client.embed(
                    self.embed_model,
                    self._embedder.prefixed(texts, kind),
                    truncate=False,
                    options={"num_ctx": limit},
                    keep_alive=self._keep_alive,
                )
        return unit_rows(answer.embeddings, len(texts), self._name)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        async def load() -> int:
            return int((await self.embed(["dimension"], EmbedKind.DOCUMENT, deadline)).shape[1])

        known = self._embedder
        dimension = await self._dimensions.get(self.embed_model, load)
        return EmbeddingModel(
            self.embed_model, dimension, known.pooling, True, known.query_prefix, known.document_prefix
        )

    async def about(self, role: Role, deadline: Deadline) -> dict[str, Any]:
        """What the server says of itself and of a role's model: digest, quantisation, parameters, context."""
        model = self.embed_model if role is Role.EMBEDDINGS else self.model
        async with deadline.limit(self._timeouts.idle, "the server's description"):
            with ollama_errors(self._name):
                shown = await self._client.show(model)
                listed = (await self._client.list()).models
                version = await self._client._client.get("/api/version")
                names = {model, f"{model}:latest"}
                return {
                    "engine": "ollama",
                    "version": version.json().get("version"),
                    "model": model,
                    "digest": next((entry.digest for entry in listed if entry.model in names), None),
                    "quantisation": shown.details.quantization_level if shown.details else None,
                    "parameters": shown.details.parameter_size if shown.details else None,
                    "context_tokens": await self._limit(model, deadline),
                }

    def get_direct_client(self) -> AsyncClient:
        """The SDK's own client; closed with the provider."""
        return self._client

    async def _beat(self) -> None:
        with ollama_errors(self._name):
            await self._client._client.get("/api/version")

    async def aclose(self) -> None:
        await self._pulse.aclose()
        await self._client.close()  # type: ignore[no-untyped-call]
