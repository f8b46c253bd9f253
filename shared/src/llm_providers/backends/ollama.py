"""Ollama by its native protocol: the OpenAI-compatible one cannot set `num_ctx`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_providers.backends import _ollama_format as wire
from llm_providers.backends._embedders import unit_rows
from llm_providers.backends._errors import translated
from llm_providers.backends._server import ServerBackend, TTLCache
from llm_providers.control_tokens import tokens_of_template
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.types import ChatRequest, EmbedKind, EngineInfo, ModelInfo, Vectors, same_model

if TYPE_CHECKING:
    from ollama import AsyncClient


class OllamaProvider(ServerBackend):
    """One model of one Ollama server, for text, vision or embeddings."""

    chat_path = "/api/chat"
    keepalive_seconds = 15.0
    reader = wire.PartReader

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
        name: str = "ollama",
    ) -> None:
        super().__init__(name, url, model, api_key, timeouts, context_tokens, reasoning_tokens)
        self._keep_alive, self._max_context = keep_alive, max_context
        self._info: TTLCache[ModelInfo] = TTLCache(self._load_info)
        self._num_ctx = 0

    async def _chat_body(self, request: ChatRequest, deadline: Deadline) -> dict[str, Any]:
        limit = (await self.info(deadline)).context_tokens
        needed = wire.context_for(request, limit, self.name)
        if self._reasons:
            request = self._with_room(request, limit)
            needed = wire.context_for(request, limit, self.name)
        # A context once asked for is kept: a smaller one would make Ollama load the model again.
        self._num_ctx = max(self._num_ctx, needed)
        return wire.chat_body(request, self.model, self._num_ctx, self._keep_alive)

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

    async def about(self, deadline: Deadline) -> EngineInfo:
        shown = await self._show(deadline)
        listed = await self._http.get("/api/tags", deadline)
        version = await self._http.get("/api/version", deadline)
        with translated(self.name):
            models = listed.get("models") or []
            digest = next((m.get("digest") for m in models if same_model(m.get("model", ""), self.model)), None)
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

        client: AsyncClient = self._sdk or AsyncClient(host=self._http.address)
        self._sdk = client
        return client

    async def _show(self, deadline: Deadline) -> Any:
        return await self._http.post("/api/show", {"model": self.model}, deadline)

    async def _load_info(self, deadline: Deadline) -> ModelInfo:
        shown = await self._show(deadline)
        with translated(self.name):
            reported = self._context_tokens or wire.context_tokens(shown)
            self._own_tokens = tokens_of_template(shown.get("template"))
        context = min(self._max_context, reported or wire.SMALLEST_CONTEXT)
        return ModelInfo(self.name, self.model, context, context_known=reported is not None)

    async def _control_tokens(self, deadline: Deadline) -> frozenset[str]:
        await self.info(deadline)
        return self._own_tokens

    async def _is_alive(self) -> None:
        await self._http.status("/api/version")
