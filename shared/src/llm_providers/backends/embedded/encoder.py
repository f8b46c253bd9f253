"""all-MiniLM-L6-v2 in ONNX Runtime: blocking calls, to be made in a worker thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from threading import Event

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from llm_providers.errors import ContextLengthExceeded, NotConfigured
from llm_providers.types import Vectors

MAX_TOKENS = 512
"""Positions that the model has; its usual limit of 256 is where its authors cut, not where it ends."""
_BATCH_TOKENS = 2048


def default_model_dir() -> Path:
    """Return where `make setup` puts the model: a cache outside the repository."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "switchyard" / "models" / "all-MiniLM-L6-v2-int8-by-token"


class Abandoned(Exception):
    """Nobody waits for the work any more."""


class Encoder:
    """Sentence vectors by mean pooling, https://arxiv.org/abs/1908.10084."""

    dimension = 384

    def __init__(self, model_dir: Path) -> None:
        if not (model_dir / "model.onnx").is_file():
            raise NotConfigured(
                f"no embedding model in {model_dir}: run `make setup`, which builds it", backend="embedded"
            )
        self._abandoned = Event()
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        # The arena keeps the largest batch ever seen; without it the process gives that memory back.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(model_dir / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def abandonable(self, abandoned: Event) -> Encoder:
        """Return the same model for one piece of work, which raises `Abandoned` once the event is set."""
        same = copy(self)
        same._abandoned = abandoned
        return same

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)

    def encode(self, texts: Sequence[str], *, truncate: bool = False) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), 384).

        Over 512 tokens a text is cut if `truncate`, otherwise `ContextLengthExceeded` is raised.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        if truncate:
            _cut(encodings)
        longest = max((len(encoding.ids) for encoding in encodings), default=0)
        if longest > MAX_TOKENS:
            raise ContextLengthExceeded(
                f"a text has {longest} tokens, the model takes {MAX_TOKENS}", backend="embedded"
            )
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for rows in _batches(encodings):
            hidden, mask = self._run([encodings[row] for row in rows])
            pooled = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            vectors[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    def token_vectors(self, texts: Sequence[str]) -> list[Vectors]:
        """Return, for each text, unit vectors of its tokens, float32 of shape (tokens, 384); long texts are cut."""
        encodings = self._tokenizer.encode_batch(list(texts))
        _cut(encodings)
        found: list[Vectors] = [np.empty((0, self.dimension), np.float32)] * len(texts)
        for rows in _batches(encodings):
            hidden, _ = self._run([encodings[row] for row in rows])
            hidden /= np.linalg.norm(hidden, axis=2, keepdims=True)
            for row, vectors in zip(rows, hidden, strict=True):
                found[row] = vectors[: len(encodings[row].ids)]
        return found

    def _run(self, encodings: Sequence[Encoding]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._abandoned.is_set():
            raise Abandoned
        width = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), width), np.int64)
        mask = np.zeros((len(encodings), width), np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(["last_hidden_state"], feed)
        return hidden, mask.astype(np.float32)


def _cut(encodings: Sequence[Encoding]) -> None:
    for encoding in encodings:
        encoding.truncate(MAX_TOKENS)


def _batches(encodings: Sequence[Encoding]) -> list[list[int]]:
    """Group rows of like length, so that little is padding and a batch has a bounded size."""
    batches: list[list[int]] = []
    for row in sorted(range(len(encodings)), key=lambda index: len(encodings[index].ids)):
        width = len(encodings[row].ids)
        if not batches or (len(batches[-1]) + 1) * width > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches
