"""A sentence encoder in ONNX Runtime: blocking calls, to be made in a worker thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import ClassVar, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from llm_providers.backends.embedded.cores import usable_cores
from llm_providers.backends.embedded.tokens import load_tokenizer
from llm_providers.errors import ContextLengthExceeded, NotConfigured
from llm_providers.types import EmbeddingModel, EmbedKind, Vectors

T = TypeVar("T")
MAX_TOKENS = 512
"""Positions that the models have; MiniLM's usual limit of 256 is where its authors cut, not where it ends."""
_BATCH_TOKENS = 768
"""What fits a core's cache: 2,048 took half as much time again for a chunk, and twice as much on a busy machine."""


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


class LoadedModel:
    """The tokenizer and the network of a model; all of a process that use the same folder at a time have the same one."""

    _loaded: ClassVar[WeakValueDictionary[Path, LoadedModel]] = WeakValueDictionary()
    _loading = Lock()

    def __init__(self, folder: Path) -> None:
        self.tokenize = load_tokenizer(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        # Threads that spin while they wait take the cores from everything else in the process. The pool that sessions can
        # share is not used: from Python it can't be told not to spin, and a process has one session for each model.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps the largest batch ever seen; without it the process gives that memory back.
        options.enable_cpu_mem_arena = False
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def of(cls, folder: Path) -> LoadedModel:
        """Return the one that is loaded from a folder, or load it."""
        with cls._loading:
            if (loaded := cls._loaded.get(folder)) is None:
                loaded = cls._loaded[folder] = cls(folder)
            return loaded


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
        self._between: Callable[[], None] = lambda: None
        self._loaded = LoadedModel.of(model_dir)

    @property
    def space(self) -> EmbeddingModel:
        return self._model.space

    @property
    def likeness_scale(self) -> tuple[float, float]:
        return self._model.likeness_scale

    def pausing(self, between: Callable[[], None]) -> Encoder:
        """Return the same model, which calls `between` before each batch: there it may do other work, or give up by raising."""
        same = copy(self)
        same._between = between
        return same

    def count(self, text: str, kind: EmbedKind = EmbedKind.DOCUMENT) -> int:
        """Return how many of the model's tokens a text takes, its prefix and the marks of beginning and end included."""
        return len(self._loaded.tokenize([self._model.prefix(kind) + text])[0])

    def encode(self, texts: Sequence[str], kind: EmbedKind = EmbedKind.DOCUMENT, *, truncate: bool = False) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), dimension).

        Over 512 tokens, the model's prefix included, a text is cut if `truncate`, otherwise `ContextLengthExceeded` is raised.
        """
        tokens = self._tokens(texts, kind, truncate=truncate)
        vectors = np.empty((len(texts), self.space.dimension), np.float32)
        for rows, hidden, mask in self._run(tokens):
            vectors[rows] = _pooled(hidden, mask)
        return vectors

    def encode_with_tokens(
        self, texts: Sequence[str], kind: EmbedKind, keep: Callable[[Vectors], T], *, truncate: bool = False
    ) -> tuple[Vectors, list[T]]:
        """Return what `encode` does, and for each text what `keep` makes of its own tokens' unit vectors, in the same pass.

        These are float32 of shape (tokens, dimension), without the model's prefix and the marks of beginning and end.
        """
        tokens = self._tokens(texts, kind, truncate=truncate)
        before = self.count("", kind) - 1
        vectors = np.empty((len(texts), self.space.dimension), np.float32)
        kept: dict[int, T] = {}
        for rows, hidden, mask in self._run(tokens):
            vectors[rows] = _pooled(hidden, mask)
            hidden /= np.linalg.norm(hidden, axis=2, keepdims=True)
            for row, own in zip(rows, hidden, strict=True):
                kept[row] = keep(own[before : len(tokens[row]) - 1])
        return vectors, [kept[row] for row in range(len(texts))]

    def token_vectors(self, texts: Sequence[str], kind: EmbedKind = EmbedKind.DOCUMENT) -> list[Vectors]:
        """Return each text's token vectors, as `encode_with_tokens` has them; long texts are cut."""
        return self.encode_with_tokens(texts, kind, lambda own: own, truncate=True)[1]

    def _tokens(self, texts: Sequence[str], kind: EmbedKind, *, truncate: bool) -> list[list[int]]:
        prefix = self._model.prefix(kind)
        tokens = self._loaded.tokenize([prefix + text for text in texts])
        if truncate:
            return [own if len(own) <= MAX_TOKENS else [*own[: MAX_TOKENS - 1], own[-1]] for own in tokens]
        longest = max(map(len, tokens), default=0)
        if longest > MAX_TOKENS:
            raise ContextLengthExceeded(
                f"a text has {longest} tokens, the model takes {MAX_TOKENS}", backend="embedded"
            )
        return tokens

    def _run(
        self, tokens: Sequence[Sequence[int]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32], NDArray[np.float32]]]:
        """Yield rows, their hidden states and their mask, batch by batch."""
        for rows in _batches(tokens):
            self._between()
            width = max(len(tokens[row]) for row in rows)
            ids = np.zeros((len(rows), width), np.int64)
            mask = np.zeros((len(rows), width), np.int64)
            for place, row in enumerate(rows):
                ids[place, : len(tokens[row])] = tokens[row]
                mask[place, : len(tokens[row])] = 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (hidden,) = self._loaded.session.run(["last_hidden_state"], feed)
            yield rows, hidden, mask.astype(np.float32)


def _pooled(hidden: NDArray[np.float32], mask: NDArray[np.float32]) -> Vectors:
    mean: Vectors = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return mean


def _batches(tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """Group rows of like length, so that little is padding and a batch has a bounded size."""
    batches: list[list[int]] = []
    for row in sorted(range(len(tokens)), key=lambda index: len(tokens[index])):
        width = len(tokens[row])
        if not batches or (len(batches[-1]) + 1) * width > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches
