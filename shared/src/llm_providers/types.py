"""What every provider speaks: messages in, events out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_providers.deadline import Deadline


class Role(StrEnum):
    """What a model is used for."""

    TEXT = "text"
    EMBEDDINGS = "embeddings"
    VISION = "vision"
    RERANK = "rerank"


@dataclass(frozen=True, slots=True)
class Source:
    """A passage handed to the model as data, never as an instruction."""

    label: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; `sources` and `images` (encoded PNG or JPEG bytes) belong to a user turn."""

    role: Literal["system", "user", "assistant"]
    content: str
    sources: tuple[Source, ...] = ()
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One generation; `json_schema` asks for output that validates against that JSON Schema.

    An answer ends before the first of `stop`, which is no part of it. Sampling that is None or 0 is left to the engine.
    `prefix` is the beginning of the answer, to be continued and not repeated. Of routing: requests of one `affinity` go
    to the same side of a canary; `backend` asks for that one and no other.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float = 0.2
    stop: tuple[str, ...] = ()
    seed: int | None = None
    top_p: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    json_schema: Mapping[str, Any] | None = None
    prefix: str = ""
    affinity: str = ""
    backend: str | None = None

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, and at their end the answer so far where there is one."""
        return (*self.messages, Message("assistant", self.prefix)) if self.prefix else self.messages

    @property
    def sampling(self) -> dict[str, Any]:
        """What is asked for beside the temperature, by the names that OpenAI's and Ollama's formats share."""
        wanted = {
            "stop": list(self.stop) or None,
            "seed": self.seed,
            "top_p": self.top_p,
            "presence_penalty": self.presence_penalty or None,
            "frequency_penalty": self.frequency_penalty or None,
        }
        return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the engine counted them; `estimated` when it did not.

    `completion_tokens` includes `reasoning_tokens`, as in OpenAI's format.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """Comes first, at the moment the engine has produced output: until then nothing is yielded."""

    backend: str
    model: str
    extractive: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer, in order; pieces concatenate to the whole text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of the model's reasoning: a sign of life, but no part of the answer and of no limit on its length."""

    text: str


@dataclass(frozen=True, slots=True)
class Failover:
    """The backend failed in mid-stream and another continues; where `restarted`, discard the text so far."""

    from_backend: str
    to_backend: str
    model: str
    reason: str
    restarted: bool
    extractive: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Comes last, once; a stream that ends without it raised an error instead."""

    finish_reason: Literal["stop", "length"]
    usage: Usage = field(default_factory=Usage)
    warnings: tuple[str, ...] = ()


ChatEvent: TypeAlias = Started | Token | Thought | Failover | Done


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What serves a role: `context_tokens` bounds prompt plus answer; `extractive` models only quote their sources.

    `context_known` is false where the server does not tell its context length, and a default is assumed. `count_tokens` counts
    those of a prompt by the model's own tokenizer, its template included; None where the server offers no such thing. It raises
    a `ProviderError` where it fails.
    """

    backend: str
    model: str
    context_tokens: int
    extractive: bool = False
    context_known: bool = True
    count_tokens: Callable[[Sequence[Message], Deadline], Awaitable[int]] | None = field(
        default=None, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a server says of itself and of one of its models; None for what it does not say."""

    engine: str
    model: str
    version: str | None = None
    weights: str | None = None
    digest: str | None = None
    quantisation: str | None = None
    parameters: str | None = None
    context_tokens: int | None = None


class EmbedKind(StrEnum):
    """Some models prefix queries and documents differently."""

    QUERY = "query"
    DOCUMENT = "document"


Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What decides whether two vectors may be compared, apart from the weights themselves."""

    model: str
    dimension: int
    pooling: str
    normalised: bool
    query_prefix: str = ""
    document_prefix: str = ""


@dataclass(frozen=True, slots=True)
class TokenDocument:
    """A document to be re-ranked by its token vectors, as a provider packed them; by its text where there are none (b"")."""

    text: str
    tokens: bytes = b""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document's place in the input and its relevance; only the order of scores means something."""

    index: int
    score: float


def same_model(a: str, b: str) -> bool:
    """Whether two names mean the same model: on Ollama, `:latest` is the tag of a name without one."""
    return a.removesuffix(":latest") == b.removesuffix(":latest")
