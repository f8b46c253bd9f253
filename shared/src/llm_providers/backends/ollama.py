"""Ollama by its native protocol: the OpenAI-compatible one cannot set `num_ctx`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_providers.backends import _ollama_format as wire
from llm_providers.backends._cache import TTLCache
from llm_providers.backends._embedders import Embedder, known_embedder
from llm_providers.backends._errors import translated
from llm_providers.backends._http import EngineClient
from llm_providers.backends._pacing import LivenessCheck
from llm_providers.backends._vectors import unit_rows
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, EngineInfo, ModelInfo, Vectors

if TYPE_CHECKING:
    from ollama import AsyncClient

_KEEPALIVE_SECONDS = 15.0


class OllamaProvider:
    """One model of one Ollama server, for text, vision or embeddings."""

    in_process = False
    extractive = False

    def __init__(
        self,
        url: str,
        model: str,
        *,
        keep_alive: str = "5m",
        max_context: int = 32768,
        context_tokens: int | None = None,
        reasoning_tokens: int = 4096,
        api_key: str = "",
        timeouts: Timeouts | None = None,
        embedder: Embedder | None = None,
        name: str = "ollama",
    ) -> None:
        self.name, self.model = name, model
        self._keep_alive, self._max_context, self._context_tokens = keep_alive, max_context, context_tokens
        self._embedder = embedder or known_embedder(model)
        self._http = EngineClient(name, url, api_key, timeouts or Timeouts(), _KEEPALIVE_SECONDS)
        self._liveness = LivenessCheck(self._is_alive)
        self._reasoning_tokens, self._reasons = reasoning_tokens, False
        self._info: TTLCache[ModelInfo] = TTLCache(self._load_info)
        self._dimension: TTLCache[int] = TTLCache(self._load_dimension)
        self._num_ctx = 0
        self._sdk: AsyncClient | None = None

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        limit = (await self.info(deadline)).context_tokens
        # A context once asked for is kept: a smaller one would make Ollama load the model again.
        self._num_ctx = max(self._num_ctx, wire.context_for(request, limit, self.name))
        while True:
            allowed = request
            if self._reasons:
                room = wire.room_for(request, limit, self._reasoning_tokens)
                allowed = replace(request, max_tokens=request.max_tokens + room)
                self._num_ctx = max(self._num_ctx, wire.context_for(allowed, limit, self.name))
            reader = wire.PartReader(self.name, self.model, request)
            body = wire.chat_body(allowed, self.model, self._num_ctx, self._keep_alive)
            async with self._http.lines("/api/chat", body, deadline, self._liveness) as lines:
                while not reader.finished:
                    events = reader.read(await lines.next())
                    if reader.reasoned and not self._reasons:
                        break
                    if events:
                        lines.progress()
                    for event in events:
                        yield event
                if reader.finished and not reader.cut:
                    await lines.drain()
            if reader.finished:
                break
            # The first thought of this model: ask again with room for it, so that it takes nothing of the answer's limit.
            self._reasons = True
        yield reader.done()

    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self._info.get(deadline)

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        if not texts:
            return np.zeros((0, (await self.embedding_model(deadline)).dimension), dtype=np.float32)
        body = {
            "model": self.model,
            "input": self._embedder.prefixed(texts, kind),
            "truncate": False,
            # Always the whole context, so that the model is never loaded twice.
            "options": {"num_ctx": (await self.info(deadline)).context_tokens},
            "keep_alive": self._keep_alive,
        }
        answer = await self._http.post("/api/embed", body, deadline)
        with translated(self.name):
            rows = answer["embeddings"]
        return unit_rows(rows, len(texts), self.name)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        known, dimension = self._embedder, await self._dimension.get(deadline)
        return EmbeddingModel(self.model, dimension, known.pooling, True, known.query_prefix, known.document_prefix)

    async def about(self, deadline: Deadline) -> EngineInfo:
        shown = await self._show(deadline)
        listed = await self._http.get("/api/tags", deadline)
        version = await self._http.get("/api/version", deadline)
        with translated(self.name):
            models = listed.get("models") or []
            digest = next((m.get("digest") for m in models if wire.same_model(m.get("model", ""), self.model)), None)
            details = shown.get("details") or {}
            return EngineInfo(
                "ollama",
                self.model,
                version.get("version"),
                digest=digest,
                quantisation=details.get("quantization_level"),
                parameters=details.get("parameter_size"),
                context_tokens=(await self.info(deadline)).context_tokens,
            )

    def get_direct_client(self) -> AsyncClient:
        """Return the SDK's own client for this server; closed with the provider."""
        # Imported here: requests don't need it.
        from ollama import AsyncClient

        if self._sdk is None:
            self._sdk = AsyncClient(host=self._http.address)
        return self._sdk

    async def aclose(self) -> None:
        await self._liveness.aclose()
        await self._http.aclose()
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()  # type: ignore[no-untyped-call]

    async def _show(self, deadline: Deadline) -> Any:
        return await self._http.post("/api/show", {"model": self.model}, deadline)

    async def _load_info(self, deadline: Deadline) -> ModelInfo:
        shown = await self._show(deadline)
        with translated(self.name):
            reported = self._context_tokens or wire.context_tokens(shown)
        context = min(self._max_context, reported or wire.SMALLEST_CONTEXT)
        return ModelInfo(self.name, self.model, context, context_known=reported is not None)

    async def _load_dimension(self, deadline: Deadline) -> int:
        return int((await self.embed(["dimension"], EmbedKind.DOCUMENT, deadline)).shape[1])

    async def _is_alive(self) -> None:
        await self._http.status("/api/version")
