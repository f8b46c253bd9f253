"""`EmbeddedProvider`: text by extraction, vectors and re-ranking by a sentence encoder, all in this process."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

import numpy as np
import onnxruntime

from llm_providers.backends.embedded.answers import answer, digest
from llm_providers.backends.embedded.encoder import DEFAULT_MODEL, MAX_TOKENS, Encoder
from llm_providers.backends.embedded.late_interaction import TokenCodes, exact_matches, relevance
from llm_providers.backends.embedded.worker import Urgency, UrgencyWorker
from llm_providers.completion import before_stop
from llm_providers.deadline import Deadline
from llm_providers.errors import RequestRejected, Unavailable
from llm_providers.tokens import estimate_tokens
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    Done,
    EmbeddingModel,
    EmbedKind,
    EngineInfo,
    ModelInfo,
    Ranked,
    Started,
    Token,
    TokenDocument,
    Usage,
    Vectors,
)

T = TypeVar("T")
_PIECE = re.compile(r"\S+\s*|\s+")
_QUESTIONS = 64
"""Whose token vectors are remembered for the re-ranking that follows their search."""


class Abandoned(Exception):
    """Nobody waits for the work any more."""


class EmbeddedProvider:
    """Quotes the sources it is given; says so by `extractive` in `Started` and `info`."""

    in_process = True
    extractive = True
    context_tokens = 32_768
    """Not a limit of any model, but of what is worth reading sentence by sentence while somebody waits."""

    def __init__(self, encoder: Encoder, name: str = "embedded") -> None:
        self.name = name
        self._encoder, self._space = encoder, encoder.space
        # One thread: the encoder uses every core by itself, and each further thread would keep a heap of its own.
        self._open = True
        self._worker = UrgencyWorker(name)
        self._codes = TokenCodes.of(self._space.model)
        self._asked: OrderedDict[str, Vectors] = OrderedDict()

    @classmethod
    def open(
        cls, model: str = DEFAULT_MODEL, model_dir: Path | None = None, name: str = "embedded"
    ) -> EmbeddedProvider:
        """Load the model; raises `NotConfigured` if it has not been built."""
        return cls(Encoder(model, model_dir), name)

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        """Answer from the last message's sources, fill the schema from them, or else sum the message up."""
        prompt = sum(
            estimate_tokens(m.content) + sum(estimate_tokens(s.text) for s in m.sources) for m in request.messages
        )
        text = await self._in_thread(deadline, Urgency.ANSWER, partial(self._write, request))
        if request.prefix:
            text = _rest(text, request.prefix)
        text = before_stop(text, request.stop)
        pieces = _PIECE.findall(text)
        kept = pieces[: request.max_tokens]
        yield Started(self.name, "extractive", extractive=True)
        for piece in kept:
            yield Token(piece)
        usage = Usage(prompt, len(kept), estimated=True)
        yield Done("stop" if len(kept) == len(pieces) else "length", usage)

    def _write(self, request: ChatRequest, encoder: Encoder) -> str:
        if not request.messages:
            raise RequestRejected("a chat needs at least one message", backend=self.name)
        message = request.messages[-1]
        if request.json_schema is not None:
            text = "\n\n".join(source.text for source in message.sources) or message.content
            # Imported here: its patterns take a tenth of a second to compile, which answers have no use for.
            from llm_providers.backends.embedded.structured import fill

            return fill(encoder, request.json_schema, text)
        if message.sources:
            return answer(encoder, message.content, message.sources)
        return digest(encoder, message.content)

    async def info(self, deadline: Deadline) -> ModelInfo:
        return ModelInfo(self.name, "extractive", self.context_tokens, extractive=True)

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        if kind is EmbedKind.QUERY and len(texts) == 1:
            return await self._in_thread(deadline, Urgency.SEARCH, lambda encoder: self._question(encoder, texts[0])[0])
        urgency = Urgency.SEARCH if kind is EmbedKind.QUERY else Urgency.INGESTION
        return await self._in_thread(deadline, urgency, lambda encoder: encoder.encode(texts, kind))

    async def embed_with_tokens(self, texts: Sequence[str], deadline: Deadline) -> tuple[Vectors, list[bytes]]:
        """Embed documents; their token vectors are empty for a model that has no codes for them."""
        codes = self._codes
        if codes is None:
            return await self.embed(texts, EmbedKind.DOCUMENT, deadline), [b""] * len(texts)
        return await self._in_thread(
            deadline,
            Urgency.INGESTION,
            lambda encoder: encoder.encode_with_tokens(texts, EmbedKind.DOCUMENT, codes.pack),
        )

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return self._space

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        """Order by late interaction of the texts' tokens."""

        def scores(encoder: Encoder) -> list[float]:
            (asked,) = encoder.token_vectors([query], EmbedKind.QUERY)
            read = encoder.token_vectors(documents)
            return relevance(exact_matches(asked, read))

        found = await self._in_thread(deadline, Urgency.SEARCH, scores)
        ranked = [Ranked(index, score) for index, score in enumerate(found)]
        return sorted(ranked, key=lambda result: -result.score)[:top_n]

    async def rerank_tokens(self, query: str, documents: Sequence[TokenDocument], deadline: Deadline) -> list[float]:
        """Score by late interaction over the kept token vectors; what was kept by another model is read again."""
        codes = self._codes

        def scores(encoder: Encoder) -> list[float]:
            asked = self._asked.get(query)
            if asked is None:
                asked = self._question(encoder, query, truncate=True)[1]
            if codes is None:
                return relevance(exact_matches(asked, encoder.token_vectors([each.text for each in documents])))
            missing = {each.text for each in documents if not codes.readable(each.tokens)}
            read = dict(zip(missing, map(codes.pack, encoder.token_vectors(list(missing))), strict=True))
            return relevance(codes.matches(asked, [read.get(each.text, each.tokens) for each in documents]))

        return await self._in_thread(deadline, Urgency.SEARCH, scores)

    def _question(self, encoder: Encoder, text: str, *, truncate: bool = False) -> tuple[Vectors, Vectors]:
        """Return the vector of a question, of shape (1, dimension), and those of its tokens; both are made in the thread."""
        vectors, (tokens,) = encoder.encode_with_tokens([text], EmbedKind.QUERY, np.copy, truncate=truncate)
        self._asked[text] = tokens
        if len(self._asked) > _QUESTIONS:
            self._asked.popitem(last=False)
        return vectors, tokens

    async def _in_thread(self, deadline: Deadline, urgency: Urgency, work: Callable[[Encoder], T]) -> T:
        """Run `work` in the thread; before each of its batches more urgent work is done, and it ends if its caller is gone."""
        abandoned = Event()

        def between() -> None:
            self._worker.give_way(urgency)
            if abandoned.is_set():
                raise Abandoned

        async with deadline.limit(deadline.remaining, "extraction"):
            if not self._open:
                raise Unavailable("the provider is closed", backend=self.name)
            future = self._worker.submit(urgency, partial(work, self._encoder.pausing(between)))
            try:
                return await asyncio.wrap_future(future)
            except asyncio.CancelledError as error:
                abandoned.set()
                task = asyncio.current_task()
                if self._open or (task is not None and task.cancelling()):
                    raise
                # This task was not cancelled: closing the provider dropped its work.
                raise Unavailable("the provider was closed", backend=self.name) from error

    async def about(self, deadline: Deadline) -> EngineInfo:
        """Describe the encoder, which does the work of every role."""
        return EngineInfo(
            "onnxruntime",
            self._space.model,
            onnxruntime.__version__,
            quantisation="int8",
            context_tokens=MAX_TOKENS,
        )

    def get_direct_client(self) -> Encoder:
        """Return the encoder itself: there is no SDK behind this backend."""
        return self._encoder

    async def aclose(self) -> None:
        """Let the work at hand finish, and give the model's memory back; may be called twice."""
        if self._open:
            self._open = False
            self._worker.close()
            del self._encoder


def _rest(text: str, said: str) -> str:
    """What an answer of our own has to add to one that another model began: the sentences it has not quoted."""
    if text.startswith(said):
        return text[len(said) :]
    added = [line for line in text.split("\n") if line.strip() and line.strip() not in said]
    return "\n\n" + "\n".join(added) if added else ""


__all__ = ["MAX_TOKENS", "EmbeddedProvider"]
