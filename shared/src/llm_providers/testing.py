"""Fakes for every role, held to the same contract as the real thing; their failures are scripted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llm_providers.completion import before_stop
from llm_providers.deadline import Deadline
from llm_providers.errors import ContextLengthExceeded, ProviderError
from llm_providers.prompting import estimate_prompt, render
from llm_providers.tokens import estimate_tokens
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    Done,
    EmbeddingModel,
    EmbedKind,
    ModelInfo,
    Ranked,
    Started,
    Token,
    Usage,
    Vectors,
)


def echo(request: ChatRequest) -> str:
    """The default answer: the last message's last words; for a schema, the smallest object that has its properties."""
    text = render(request.messages[-1])
    if request.json_schema is None:
        return "You said: " + " ".join(text.split()[-12:])
    return json.dumps(_smallest(request.json_schema, request.json_schema, text))


@dataclass
class _Fake:
    """`fail` scripts the next calls: each takes one entry, an error to raise or None to work."""

    name: str = "fake"
    in_process: bool = False
    extractive: bool = False
    fail: deque[ProviderError | None] = field(default_factory=deque)
    calls: int = 0
    closed: bool = False

    def _begin(self, deadline: Deadline) -> None:
        deadline.check()
        self.calls += 1
        error = self.fail.popleft() if self.fail else None
        if error is not None:
            raise error

    def failing(self, *errors: ProviderError | None) -> None:
        """Let the next calls meet these errors, in this order."""
        self.fail.extend(errors)

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class FakeLLM(_Fake):
    """Answers by `answer`, a word at a time; `break_after` words it raises `break_with`, until that is None.

    `cancelled` counts streams whose consumer left before their end; `requests` keeps what was asked.
    """

    model: str = "fake-model"
    answer: Callable[[ChatRequest], str] = echo
    context_tokens: int = 4096
    pause: float = 0.0
    break_after: int = 1
    break_with: ProviderError | None = None
    warnings: tuple[str, ...] = ()
    cancelled: int = 0
    requests: list[ChatRequest] = field(default_factory=list)

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        self._begin(deadline)
        self.requests.append(request)
        prompt = estimate_prompt(request.messages)
        if prompt + request.max_tokens > self.context_tokens:
            raise ContextLengthExceeded(f"{prompt} + {request.max_tokens} tokens do not fit", backend=self.name)
        words = re.findall(r"\S+\s*|\s+", before_stop(self.answer(request).removeprefix(request.prefix), request.stop))
        sent = 0
        try:
            for word in words[: request.max_tokens]:
                async with deadline.limit(deadline.remaining, "the answer"):
                    await asyncio.sleep(self.pause)
                if self.break_with is not None and sent >= self.break_after:
                    raise self.break_with
                if sent == 0:
                    yield Started(self.name, self.model, self.extractive)
                sent += 1
                yield Token(word)
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled += 1
            raise
        if sent == 0:
            yield Started(self.name, self.model, self.extractive)
        reason: Any = "length" if len(words) > request.max_tokens else "stop"
        yield Done(reason, Usage(prompt, sent, estimated=True), self.warnings)

    async def info(self, deadline: Deadline) -> ModelInfo:
        return ModelInfo(self.name, self.model, self.context_tokens, self.extractive)


@dataclass
class FakeEmbeddings(_Fake):
    """Vectors made of word hashes: texts that share words lie close together; another `seed` is another space."""

    model: str = "fake-embedder"
    dimension: int = 32
    seed: int = 0
    context_tokens: int = 512
    query_prefix: str = ""
    document_prefix: str = ""

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        self._begin(deadline)
        too_long = next((text for text in texts if estimate_tokens(text) > self.context_tokens), None)
        if too_long is not None:
            raise ContextLengthExceeded(f"a text has more than {self.context_tokens} tokens", backend=self.name)
        prefix = self.query_prefix if kind is EmbedKind.QUERY else self.document_prefix
        rows = np.array([self._vector(prefix + text) for text in texts], dtype=np.float32)
        return rows.reshape(len(texts), self.dimension)

    def _vector(self, text: str) -> Vectors:
        total = np.zeros(self.dimension)
        for word in re.findall(r"\w+", text.lower()) or [""]:
            digest = hashlib.sha256(f"{self.seed}:{word}".encode()).digest()
            total += np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(self.dimension)
        unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
        return unit

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return EmbeddingModel(self.model, self.dimension, "mean", True, self.query_prefix, self.document_prefix)


@dataclass
class FakeRerank(_Fake):
    """Scores a document by the share of the query's words that it has."""

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        self._begin(deadline)
        wanted = set(re.findall(r"\w+", query.lower()))
        ranked = [
            Ranked(index, len(wanted & set(re.findall(r"\w+", document.lower()))) / max(1, len(wanted)))
            for index, document in enumerate(documents)
        ]
        return sorted(ranked, key=lambda item: -item.score)[: max(0, top_n)]


def _smallest(schema: Any, root: Any, text: str) -> Any:
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _smallest(target, root, text)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return _smallest(schema["anyOf"][0], root, text)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        required = schema.get("required", list(schema.get("properties", {})))
        return {name: _smallest(schema["properties"][name], root, text) for name in required}
    if kind == "array":
        return [_smallest(schema["items"], root, text)] * schema.get("minItems", 0)
    return {
        "string": text[: schema.get("maxLength", 40)].ljust(schema.get("minLength", 0), "."),
        "integer": schema.get("minimum", 0),
        "number": schema.get("minimum", 0.0),
        "boolean": False,
        "null": None,
    }[kind]
