"""vLLM, and any server that speaks its dialect of the OpenAI protocol."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Self

import httpx2
import numpy as np
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient
from openai.types.chat import ChatCompletionChunk

from llm_providers.backends._embedders import Embedder, known_embedder
from llm_providers.backends._lines import data_lines
from llm_providers.backends._mapping import inside_stream
from llm_providers.backends._memo import Memo
from llm_providers.backends._openai_chat import context_tokens, events, to_body
from llm_providers.backends._openai_errors import openai_errors
from llm_providers.backends._pacing import Pulse, paced
from llm_providers.backends._tls import trust
from llm_providers.backends._vectors import unit_rows
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.dropin import DropIn
from llm_providers.errors import InvalidResponse, ModelNotFound, NotConfigured, Unavailable
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Role, Vectors

# uvicorn, on which vLLM stands, closes idle connections after 5 s: let go of them first.
_KEEPALIVE_SECONDS = 3.0


class VLLMProvider(DropIn):
    """Text, embeddings and rerank, each from a server of its own: one vLLM process serves one kind of model.

    Owns one pool of connections for the three; `url`s include the `/v1`.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        embed_url: str = "",
        embed_model: str = "",
        rerank_url: str = "",
        rerank_model: str = "",
        api_key: str = "",
        timeouts: Timeouts | None = None,
        embedder: Embedder | None = None,
        name: str = "vllm",
    ) -> None:
        self._arguments: dict[str, Any] = {
            "url": url,
            "model": model,
            "embed_url": embed_url,
            "embed_model": embed_model,
            "rerank_url": rerank_url,
            "rerank_model": rerank_model,
            "api_key": api_key,
            "timeouts": timeouts,
            "embedder": embedder,
            "name": name,
        }
        self._name, self._timeouts = name, timeouts or Timeouts()
        self.model, self.embed_model, self.rerank_model = model, embed_model, rerank_model
        self._embedder = embedder or known_embedder(embed_model)
        # Reads have no time-out of their own: every exchange is paced under the request's deadline.
        self._http = DefaultAioHttpClient(
            verify=trust(),
            timeout=httpx2.Timeout(None, connect=self._timeouts.connect),
            limits=httpx2.Limits(max_connections=1000, keepalive_expiry=_KEEPALIVE_SECONDS),
        )
        with openai_errors(name):
            self._text = AsyncOpenAI(base_url=url, api_key=api_key or "none", max_retries=0, http_client=self._http)
        self._embed = self._text.with_options(base_url=embed_url) if embed_url else None
        self._rerank = self._text.with_options(base_url=rerank_url) if rerank_url else None
        self._health = f"{url.removesuffix('/v1')}/health"
        self._pulse = Pulse(self._beat)
        self._contexts: Memo[int] = Memo()
        self._dimensions: Memo[int] = Memo()

    @property
    def name(self) -> str:
        return self._name

    def fresh(self) -> Self:
        return type(self)(**self._arguments)

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        async with aclosing(paced(self._events(request), deadline, self._timeouts, self._pulse)) as stream:
            async for event in stream:
                yield event

    async def _events(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        with openai_errors(self._name):
            body = to_body(request, self.model)
            # Not `chat.completions.create`: it walks through the body by type hints, which takes longer than the rest.
            opened = await self._text.post(
                "/chat/completions",
                body=body,
                cast_to=ChatCompletionChunk,
                stream=True,
                stream_cls=AsyncStream[ChatCompletionChunk],
            )
            async with opened:
                with inside_stream(self._name), openai_errors(self._name):
                    async with (
                        aclosing(opened.response.aiter_bytes()) as chunks,
                        aclosing(data_lines(chunks)) as lines,
                        aclosing(events(lines, self._name, self.model)) as stream,
                    ):
                        async for event in stream:
                            yield event

    async def info(self, deadline: Deadline) -> ModelInfo:
        async def load() -> int:
            async with deadline.limit(self._timeouts.idle, "the list of models"):
                with openai_errors(self._name):
                    response = await self._text.get("/models", cast_to=httpx2.Response)
                    context = context_tokens(response.json(), self.model, self._name)
            if context is None:
                raise ModelNotFound(f"the server does not serve {self.model!r}", backend=self._name)
            return context

        return ModelInfo(self._name, self.model, await self._contexts.get(self.model, load))

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        client = self._configured(self._embed, "VLLM_EMBED_URL")
        if not texts:
            return np.zeros((0, (await self.embedding_model(deadline)).dimension), dtype=np.float32)
        body = {
            "model": self.embed_model,
            "input": self._embedder.prefixed(texts, kind),
            "encoding_format": "base64",
        }
        answer = await self._post(client, "/embeddings", body, deadline)
        with openai_errors(self._name):
            data = sorted(answer["data"], key=lambda item: item["index"])
            rows = [np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4") for item in data]
        return unit_rows(rows, len(texts), self._name)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        async def load() -> int:
            return int((await self.embed(["dimension"], EmbedKind.DOCUMENT, deadline)).shape[1])

        known = self._embedder
        dimension = await self._dimensions.get(self.embed_model, load)
        return EmbeddingModel(
            self.embed_model, dimension, known.pooling, True, known.query_prefix, known.document_prefix
        )

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        client = self._configured(self._rerank, "VLLM_RERANK_URL")
        if not documents or top_n <= 0:
            return []
        body = {"model": self.rerank_model, "query": query, "documents": list(documents), "top_n": top_n}
        answer = await self._post(client, "/rerank", body, deadline)
        with openai_errors(self._name):
            ranked = [Ranked(int(item["index"]), float(item["relevance_score"])) for item in answer["results"]]
        if any(not 0 <= item.index < len(documents) for item in ranked):
            raise InvalidResponse("a rank names a document that was not sent", backend=self._name)
        return sorted(ranked, key=lambda item: -item.score)[:top_n]

    async def about(self, role: Role, deadline: Deadline) -> dict[str, Any]:
        """What the server of a role says of itself: model, context, version."""
        client = {Role.EMBEDDINGS: self._embed, Role.RERANK: self._rerank}.get(role, self._text)
        model = {Role.EMBEDDINGS: self.embed_model, Role.RERANK: self.rerank_model}.get(role, self.model)
        client = self._configured(client, f"VLLM_{role.name}_URL")
        async with deadline.limit(self._timeouts.idle, "the server's description"):
            with openai_errors(self._name):
                listing = (await client.get("/models", cast_to=httpx2.Response)).json()
                version = await self._http.get(f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/version")
                served: dict[str, Any] = next((entry for entry in listing["data"] if entry["id"] == model), {})
                return {
                    "engine": "vllm",
                    "version": version.json().get("version") if version.is_success else None,
                    "model": model,
                    "weights": served.get("root"),
                    "context_tokens": served.get("max_model_len"),
                }

    async def _post(self, client: AsyncOpenAI, path: str, body: dict[str, Any], deadline: Deadline) -> Any:
        async with deadline.limit(self._timeouts.first_token, path):
            with openai_errors(self._name):
                response = await client.post(path, body=body, cast_to=httpx2.Response)
                return response.json()

    def _configured(self, client: AsyncOpenAI | None, variable: str) -> AsyncOpenAI:
        if client is None:
            raise NotConfigured(f"{variable} is not set", backend=self._name)
        return client

    def get_direct_client(self) -> AsyncOpenAI:
        """The SDK's own client for the text server; closed with the provider."""
        return self._text

    async def _beat(self) -> None:
        with openai_errors(self._name):
            answer = await self._http.get(self._health)
        # Any other answer is one: not every server of this dialect has the page.
        if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            raise Unavailable("it says that its engine is dead", backend=self._name)

    async def aclose(self) -> None:
        await self._pulse.aclose()
        await self._http.aclose()
