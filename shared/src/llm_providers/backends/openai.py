"""vLLM, SGLang, llama.cpp, LM Studio, TGI and every other server that speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_providers.backends import _openai_format as wire
from llm_providers.backends._embedders import unit_rows
from llm_providers.backends._server import ServerBackend, TTLCache
from llm_providers.control_tokens import tokens_of_template, without_control_tokens
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.engines.table import StructuredOutput
from llm_providers.errors import (
    CannotContinue,
    InvalidResponse,
    ModelNotFound,
    ProviderError,
    RequestRejected,
    Unavailable,
)
from llm_providers.types import ChatRequest, EmbedKind, EngineInfo, Message, ModelInfo, Ranked, Vectors

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_DEFAULT_CONTEXT = 4096
_CONTINUING = frozenset({"vllm", "sglang", "llamacpp"})
"""Servers, by what they call themselves in `/v1/models`, that continue a last message of the assistant's."""
_SERVICE_UNAVAILABLE = 503
_ESTIMATE_MARGIN = 1.25


class OpenAIProvider(ServerBackend):
    """One model of one server, for whichever role it serves; what servers differ in is found out and remembered."""

    chat_path = "/v1/chat/completions"
    # uvicorn, on which vLLM stands, closes idle connections after 5 s: close them first.
    keepalive_seconds = 3.0
    reader = wire.ChunkReader

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        context_tokens: int | None = None,
        continues: bool | None = None,
        structured_output: StructuredOutput | None = None,
        stream_usage: bool | None = None,
        reasoning_tokens: int = 4096,
        timeouts: Timeouts | None = None,
        name: str = "vllm",
    ) -> None:
        super().__init__(name, url, model, api_key, timeouts, context_tokens, reasoning_tokens)
        self._api_key, self._continues = api_key, continues
        self._dialect = wire.Dialect(structured_output or "json_schema", stream_usage is not False)
        self._tokenizes = True
        self._entry: TTLCache[wire.ModelEntry] = TTLCache(self._load_entry)

    # --- chat

    async def _chat_body(self, request: ChatRequest, deadline: Deadline) -> dict[str, Any]:
        if request.prefix and not await self._can_continue(deadline):
            raise CannotContinue("this server can't continue a partial answer", backend=self.name)
        if self._reasons:
            request = self._with_room(request, (await self.info(deadline)).context_tokens, _ESTIMATE_MARGIN)
        return wire.chat_body(request, self.model, self._dialect)

    def _adapt(self, request: ChatRequest, error: RequestRejected) -> None:
        if (simpler := self._dialect.simpler(request, str(error))) is not None:
            self._dialect = simpler
        elif request.prefix and type(error) is RequestRejected:
            # llama.cpp: a model that reasons first, or a beginning that does not fit the schema.
            raise CannotContinue(str(error), backend=self.name) from error
        else:
            raise error

    async def _can_continue(self, deadline: Deadline) -> bool:
        if self._continues is None:
            try:
                return (await self._entry.get(deadline)).owned_by in _CONTINUING
            except ModelNotFound:
                return False
        return self._continues

    async def info(self, deadline: Deadline) -> ModelInfo:
        context = self._context_tokens
        if context is None:
            context = (await self._entry.get(deadline)).context_tokens
        return ModelInfo(
            self.name,
            self.model,
            context or _DEFAULT_CONTEXT,
            context_known=context is not None,
            count_tokens=self._count_tokens if self._tokenizes else None,
        )

    async def _count_tokens(self, messages: Sequence[Message], deadline: Deadline) -> int:
        """Count by vLLM's `/tokenize`, which applies the model's template; raises `ModelNotFound` where there is none."""
        request = without_control_tokens(ChatRequest(tuple(messages)), self._own_tokens)
        body = {"model": self.model, "messages": wire.messages(request.messages)}
        try:
            return wire.token_count(await self._http.post("/tokenize", body, deadline), self.name)
        except (RequestRejected, ModelNotFound):
            # Another server of the protocol, or a model without a template: it would answer the same every time.
            self._tokenizes = False
            raise

    # --- embeddings and rerank

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        if not texts:
            return np.zeros((0, (await self.embedding_model(deadline)).dimension), dtype=np.float32)
        body = {"model": self.model, "input": self._embedder.prefixed(texts, kind), "encoding_format": "base64"}
        answer = await self._http.post("/v1/embeddings", body, deadline)
        return unit_rows(wire.vectors(answer, self.name), len(texts), self.name)

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        if not documents or top_n <= 0:
            return []
        body = {"model": self.model, "query": query, "documents": list(documents), "top_n": top_n}
        ranked = wire.ranks(await self._http.post("/v1/rerank", body, deadline), self.name)
        if any(not 0 <= item.index < len(documents) for item in ranked):
            raise InvalidResponse("a rank names a document that was not sent", backend=self.name)
        return sorted(ranked, key=lambda item: -item.score)[:top_n]

    # --- the server itself

    async def about(self, deadline: Deadline) -> EngineInfo:
        entry = await self._load_entry(deadline)
        version = entry.version
        if version is None:
            with suppress(ProviderError):
                version = (await self._http.get("/version", deadline)).get("version")
        context = self._context_tokens or entry.context_tokens
        return EngineInfo(entry.owned_by or "openai", self.model, version, entry.weights, context_tokens=context)

    def get_direct_client(self) -> AsyncOpenAI:
        """Return the SDK's own client for this server; closed with the provider."""
        # Imported here: it takes a second, and requests don't need it.
        from openai import AsyncOpenAI

        if self._sdk is None:
            self._sdk = AsyncOpenAI(base_url=f"{self._http.address}/v1", api_key=self._api_key or "none", max_retries=0)
        client: AsyncOpenAI = self._sdk
        return client

    async def _load_entry(self, deadline: Deadline) -> wire.ModelEntry:
        try:
            listing = await self._http.get("/v1/models", deadline)
        except ModelNotFound:
            # A server without this page says nothing about its models.
            return wire.ModelEntry()
        entry = wire.model_entry(listing, self.model, self.name)
        if entry.owned_by == "llamacpp":
            # A proxy may let only `/v1` through.
            with suppress(ProviderError):
                properties = await self._http.get("/props", deadline)
                entry = wire.with_properties(entry, properties, self.name)
                names = ("chat_template", "bos_token", "eos_token")
                self._own_tokens = tokens_of_template(*(properties.get(name) for name in names))
        return entry

    async def _is_alive(self) -> None:
        # Any other status is a sign of life: not every server of this protocol has the page.
        if await self._http.status("/health") == _SERVICE_UNAVAILABLE:
            raise Unavailable("it says that its engine is dead", backend=self.name)
