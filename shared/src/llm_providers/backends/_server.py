"""What the clients of both protocols do alike: the answer's stream, and what is remembered of a server."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Generic, TypeVar

from llm_providers.backends._answer_stream import AnswerStream
from llm_providers.backends._embedders import known_embedder
from llm_providers.backends._http import EngineClient
from llm_providers.backends._pacing import LivenessCheck
from llm_providers.control_tokens import without_control_tokens
from llm_providers.deadline import Deadline, Timeouts
from llm_providers.errors import RequestRejected
from llm_providers.prompting import estimate_prompt
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, Vectors

T = TypeVar("T")


class TTLCache(Generic[T]):
    """One value that is loaded again after `seconds`, because a server may come back with another model.

    Concurrent callers share one load.
    """

    def __init__(self, load: Callable[..., Awaitable[T]], seconds: float = 60.0) -> None:
        self._load, self._seconds = load, seconds
        self._value: T | None = None
        self._loaded = 0.0
        self._loading = asyncio.Lock()

    async def get(self, *arguments: object) -> T:
        """Return the value, loaded with `arguments` if there is none or it is old; raises what the load raises."""
        if (value := self._fresh()) is not None:
            return value
        async with self._loading:
            # Another caller may have loaded it meanwhile.
            if (value := self._fresh()) is None:
                value = self._value = await self._load(*arguments)
                self._loaded = monotonic()
        return value

    def _fresh(self) -> T | None:
        return self._value if monotonic() - self._loaded <= self._seconds else None


class ServerBackend(ABC):
    """One model of one server, for whichever role it serves."""

    in_process = False
    extractive = False
    chat_path: str
    keepalive_seconds: float
    reader: type[AnswerStream]

    def __init__(
        self,
        name: str,
        url: str,
        model: str,
        api_key: str,
        timeouts: Timeouts | None,
        context_tokens: int | None,
        reasoning_tokens: int,
    ) -> None:
        self.name, self.model = name, model
        self._context_tokens, self._reasoning_tokens = context_tokens, reasoning_tokens
        self._embedder = known_embedder(model)
        self._http = EngineClient(name, url, api_key, timeouts or Timeouts(), self.keepalive_seconds)
        self._liveness = LivenessCheck(self._is_alive)
        self._reasons = self._begins_inside_thought = False
        self._own_tokens = frozenset[str]()
        self._dimension: TTLCache[int] = TTLCache(self._load_dimension)
        self._sdk: Any = None

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        request = without_control_tokens(request, await self._control_tokens(deadline))
        while True:
            body = await self._chat_body(request, deadline)
            reader = self.reader(self.name, self.model, request, inside=self._begins_inside_thought)
            try:
                async with self._http.lines(self.chat_path, body, deadline, self._liveness) as lines:
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
            except RequestRejected as error:
                if reader.started:
                    raise
                self._adapt(request, error)
                continue
            finally:
                self._begins_inside_thought |= reader.began_inside
            if reader.finished:
                break
            # The first thought of this model: ask again with room for it, so that it takes nothing of the answer's limit.
            self._reasons = True
        yield reader.done()

    async def _control_tokens(self, deadline: Deadline) -> frozenset[str]:
        """Return the control tokens of the served model that the server itself reports; known families need no report."""
        return self._own_tokens

    @abstractmethod
    async def _chat_body(self, request: ChatRequest, deadline: Deadline) -> dict[str, Any]:
        """Return what to send; where the model `_reasons`, with room for its thought."""

    def _with_room(self, request: ChatRequest, context: int, margin: float = 1.0) -> ChatRequest:
        """Return the request with as many more tokens, for a thought, as fit the context beside prompt and answer."""
        left = context - int(margin * estimate_prompt(request.turns)) - request.max_tokens
        return replace(request, max_tokens=request.max_tokens + max(0, min(self._reasoning_tokens, left)))

    def _adapt(self, request: ChatRequest, error: RequestRejected) -> None:
        """Learn from a rejection how to ask again; raises what ends the request."""
        raise error

    @abstractmethod
    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors: ...

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        known, dimension = self._embedder, await self._dimension.get(deadline)
        return EmbeddingModel(self.model, dimension, known.pooling, True, known.query_prefix, known.document_prefix)

    async def _load_dimension(self, deadline: Deadline) -> int:
        return int((await self.embed(["dimension"], EmbedKind.DOCUMENT, deadline)).shape[1])

    @abstractmethod
    async def _is_alive(self) -> None:
        """Raise `Unavailable` where nothing listens or the engine says that it is dead."""

    async def aclose(self) -> None:
        await self._liveness.aclose()
        await self._http.aclose()
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()
