"""vLLM, SGLang, llama.cpp, LM Studio, TGI and every other server that speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from llm_providers.backends import _openai_format as wire
from llm_providers.backends._cache import TTLCache
from llm_providers.backends._embedders import Embedder, known_embedder
from llm_providers.backends._http import EngineClient
from llm_providers.backends._openai_stream import ChunkReader
from llm_providers.backends._pacing import LivenessCheck
from llm_providers.backends._vectors import unit_rows
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
from llm_providers.prompting import estimate_prompt
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    EmbeddingModel,
    EmbedKind,
    EngineInfo,
    ModelInfo,
    Ranked,
    Vectors,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# uvicorn, on which vLLM stands, closes idle connections after 5 s: close them first.
_KEEPALIVE_SECONDS = 3.0
_DEFAULT_CONTEXT = 4096
_CONTINUING = frozenset({"vllm", "sglang", "llamacpp"})
"""Servers, by what they call themselves in `/v1/models`, that continue a last message of the assistant's."""
_SERVICE_UNAVAILABLE = 503
_ESTIMATE_MARGIN = 1.25


class OpenAIProvider:
    """One model of one server, for whichever role it serves; what servers differ in is found out and remembered."""

    in_process = False
    extractive = False

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
        embedder: Embedder | None = None,
        name: str = "vllm",
    ) -> None:
        self.name, self.model = name, model
        self._api_key, self._embedder = api_key, embedder or known_embedder(model)
        self._http = EngineClient(name, url, api_key, timeouts or Timeouts(), _KEEPALIVE_SECONDS)
        self._liveness = LivenessCheck(self._is_alive)
        self._context_tokens, self._continues = context_tokens, continues
        self._dialect = wire.Dialect(structured_output or "json_schema", stream_usage is not False)
        self._reasoning_tokens = reasoning_tokens
        self._reasons = self._begins_inside_thought = False
        self._entry: TTLCache[wire.ModelEntry] = TTLCache(self._load_entry)
        self._dimension: TTLCache[int] = TTLCache(self._load_dimension)
        self._sdk: AsyncOpenAI | None = None

    # --- chat

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        deadline.check()
        if request.prefix and not await self._can_continue(deadline):
            raise CannotContinue("this server can't continue a partial answer", backend=self.name)
        while True:
            reader = ChunkReader(self.name, self.model, request, inside=self._begins_inside_thought)
            room = await self._room_to_think(request, deadline) if self._reasons else 0
            allowed = replace(request, max_tokens=request.max_tokens + room)
            body = wire.chat_body(allowed, self.model, self._dialect)
            try:
                async with self._http.lines("/v1/chat/completions", body, deadline, self._liveness) as lines:
                    while not reader.finished:
                        events = reader.read(await lines.next_data())
                        if reader.reasoned and not self._reasons:
                            break
                        if events:
                            lines.progress()
                        for event in events:
                            yield event
                    if reader.finished and not reader.cut:
                        await lines.drain()
            except RequestRejected as error:
                if reader.started:
                    raise
                if (simpler := self._dialect.simpler(request, str(error))) is not None:
                    self._dialect = simpler
                    continue
                if request.prefix and type(error) is RequestRejected:
                    # llama.cpp: a model that reasons first, or a beginning that does not fit the schema.
                    raise CannotContinue(str(error), backend=self.name) from error
                raise
            finally:
                self._begins_inside_thought |= reader.began_inside
            if reader.finished:
                break
            # The first thought of this model: ask again with room for it, so that it takes nothing of the answer's limit.
            self._reasons = True
        yield reader.done()

    async def _room_to_think(self, request: ChatRequest, deadline: Deadline) -> int:
        context = (await self.info(deadline)).context_tokens
        left = context - int(_ESTIMATE_MARGIN * estimate_prompt(request.turns)) - request.max_tokens
        return max(0, min(self._reasoning_tokens, left))

    async def _can_continue(self, deadline: Deadline) -> bool:
        if self._continues is None:
            try:
                return (await self._entry.get(deadline)).owned_by in _CONTINUING
            except ModelNotFound:
                return False
        return self._continues

    async def info(self, deadline: Deadline) -> ModelInfo:
        if self._context_tokens is not None:
            return ModelInfo(self.name, self.model, self._context_tokens)
        context = (await self._entry.get(deadline)).context_tokens
        return ModelInfo(self.name, self.model, context or _DEFAULT_CONTEXT, context_known=context is not None)

    # --- embeddings and rerank

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        if not texts:
            return np.zeros((0, (await self.embedding_model(deadline)).dimension), dtype=np.float32)
        body = {"model": self.model, "input": self._embedder.prefixed(texts, kind), "encoding_format": "base64"}
        answer = await self._http.post("/v1/embeddings", body, deadline)
        return unit_rows(wire.vectors(answer, self.name), len(texts), self.name)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        known, dimension = self._embedder, await self._dimension.get(deadline)
        return EmbeddingModel(self.model, dimension, known.pooling, True, known.query_prefix, known.document_prefix)

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        deadline.check()
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
        return self._sdk

    async def aclose(self) -> None:
        await self._liveness.aclose()
        await self._http.aclose()
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()

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
                entry = wire.with_properties(entry, await self._http.get("/props", deadline), self.name)
        return entry

    async def _load_dimension(self, deadline: Deadline) -> int:
        return int((await self.embed(["dimension"], EmbedKind.DOCUMENT, deadline)).shape[1])

    async def _is_alive(self) -> None:
        # Any other status is a sign of life: not every server of this protocol has the page.
        if await self._http.status("/health") == _SERVICE_UNAVAILABLE:
            raise Unavailable("it says that its engine is dead", backend=self.name)
