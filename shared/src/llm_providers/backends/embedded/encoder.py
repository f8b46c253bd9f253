"""A sentence encoder in ONNX Runtime: blocking calls, to be made in a worker thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from llm_providers.backends.embedded.tokens import load_tokenizer
from llm_providers.errors import ContextLengthExceeded, NotConfigured
from llm_providers.types import EmbeddingModel, EmbedKind, Vectors

MAX_TOKENS = 512
"""Positions that the models have; MiniLM's usual limit of 256 is where its authors cut, not where it ends."""
_BATCH_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """A model that `make setup` can build, and what its texts must begin with."""

    folder: str
    space: EmbeddingModel
    likeness_scale: tuple[float, float]
    """The late interaction of a question with sentences about something else, and with one that says the same."""

    @property
    def path(self) -> Path:
        """Where `make setup` puts it: a cache outside the repository."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "switchyard" / "models" / self.folder

    def prefix(self, kind: EmbedKind) -> str:
        return self.space.query_prefix if kind is EmbedKind.QUERY else self.space.document_prefix


def _mean_pooled(model: str, query_prefix: str = "", document_prefix: str = "") -> EmbeddingModel:
    return EmbeddingModel(
        model, 384, "mean", normalised=True, query_prefix=query_prefix, document_prefix=document_prefix
    )


DEFAULT_MODEL = "multilingual-e5-small"
MODELS = {
    DEFAULT_MODEL: SentenceModel(
        "multilingual-e5-small-int8", _mean_pooled(DEFAULT_MODEL, "query: ", "passage: "), (0.65, 0.9)
    ),
    "all-MiniLM-L6-v2": SentenceModel("all-MiniLM-L6-v2-int8-by-token", _mean_pooled("all-MiniLM-L6-v2"), (0.1, 0.9)),
}


class Abandoned(Exception):
    """Nobody waits for the work any more."""


class Encoder:
    """Sentence vectors by mean pooling, https://arxiv.org/abs/1908.10084."""

    def __init__(self, model: str = DEFAULT_MODEL, folder: Path | None = None) -> None:
        """Load `model`, from where `make setup` puts it or from `folder`; raises `NotConfigured` if it is not there."""
        if model not in MODELS:
            raise NotConfigured(
                f"no model {model!r}: the embedded engine has {' and '.join(MODELS)}", backend="embedded"
            )
        self._model = MODELS[model]
        model_dir = folder or self._model.path
        if not (model_dir / "model.onnx").is_file():
            raise NotConfigured(
                f"no embedding model in {model_dir}: run `make setup EMBEDDED_MODEL={model}`, which builds it",
                backend="embedded",
            )
        self._abandoned = Event()
        self._tokenize = load_tokenizer(model_dir)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        # Threads that spin while they wait take the cores from everything else in the process.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps the largest batch ever seen; without it the process gives that memory back.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(model_dir / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    @property
    def space(self) -> EmbeddingModel:
        return self._model.space

    @property
    def likeness_scale(self) -> tuple[float, float]:
        return self._model.likeness_scale

    def abandonable(self, abandoned: Event) -> Encoder:
        """Return the same model for one piece of work, which raises `Abandoned` once the event is set."""
        same = copy(self)
        same._abandoned = abandoned
        return same

    def count(self, text: str, kind: EmbedKind = EmbedKind.DOCUMENT) -> int:
        """Return how many of the model's tokens a text takes, its prefix and the marks of beginning and end included."""
        return len(self._tokens([text], kind)[0])

    def encode(self, texts: Sequence[str], kind: EmbedKind = EmbedKind.DOCUMENT, *, truncate: bool = False) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimension).

        Over 512 tokens, the model's prefix included, a text is cut if `truncate`, otherwise `ContextLengthExceeded` is raised.
        """
        tokens = self._tokens(texts, kind)
        if truncate:
            tokens = _cut(tokens)
        longest = max(map(len, tokens), default=0)
        if longest > MAX_TOKENS:
            raise ContextLengthExceeded(
                f"a text has {longest} tokens, the model takes {MAX_TOKENS}", backend="embedded"
            )
        vectors = np.empty((len(texts), self.space.dimension), np.float32)
        for rows in _batches(tokens):
            hidden, mask = self._run([tokens[row] for row in rows])
            pooled = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            vectors[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    def token_vectors(self, texts: Sequence[str], kind: EmbedKind = EmbedKind.DOCUMENT) -> list[Vectors]:
        """Return, for each text, unit vectors of its own tokens, float32 of shape (tokens, dimension); long texts are cut.

        The model's prefix and the tokens that mark beginning and end are left out.
        """
        tokens = _cut(self._tokens(texts, kind))
        before = self.count("", kind) - 1
        found: list[Vectors] = [np.empty((0, self.space.dimension), np.float32)] * len(texts)
        for rows in _batches(tokens):
            hidden, _ = self._run([tokens[row] for row in rows])
            hidden /= np.linalg.norm(hidden, axis=2, keepdims=True)
            for row, vectors in zip(rows, hidden, strict=True):
                found[row] = vectors[before : len(tokens[row]) - 1]
        return found

    def _tokens(self, texts: Sequence[str], kind: EmbedKind) -> list[list[int]]:
        prefix = self._model.prefix(kind)
        return self._tokenize([prefix + text for text in texts])

    def _run(self, tokens: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._abandoned.is_set():
            raise Abandoned
        width = max(map(len, tokens))
        ids = np.zeros((len(tokens), width), np.int64)
        mask = np.zeros((len(tokens), width), np.int64)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(["last_hidden_state"], feed)
        return hidden, mask.astype(np.float32)


def _cut(tokens: Sequence[list[int]]) -> list[list[int]]:
    return [own if len(own) <= MAX_TOKENS else [*own[: MAX_TOKENS - 1], own[-1]] for own in tokens]


def _batches(tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """Group rows of like length, so that little is padding and a batch has a bounded size."""
    batches: list[list[int]] = []
    for row in sorted(range(len(tokens)), key=lambda index: len(tokens[index])):
        width = len(tokens[row])
        if not batches or (len(batches[-1]) + 1) * width > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches
