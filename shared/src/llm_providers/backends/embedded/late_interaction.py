"""Token vectors in a few bits, kept so that re-ranking needs no text again: late interaction as in ColBERT.

A question's tokens each look for their best match in a document (https://arxiv.org/abs/2004.12832). As in ColBERTv2
(https://arxiv.org/abs/2112.01488) a token is stored as its residual in a few bits, here to the mean of its own document:
tokens of one text are alike. Residuals are turned to their principal axes, and each axis has as many bits as its share of
the variance earns (reverse water-filling: Cover and Thomas, Elements of Information Theory, chapter 10). A stored bit stands
for a fixed part of a coordinate, so that scoring is a matrix product of bits and what was made of the question beforehand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llm_providers.types import Vectors

_STEPS = np.array([0.0, 1.596, 0.9957, 0.586, 0.335], np.float32)
"""Of the best uniform quantiser of a normal distribution with 0 to 4 bits, in standard deviations (Max, 1960)."""
_DISTORTION = np.array([1.0, 0.3634, 0.1188, 0.0374, 0.0115], np.float32)
_MARK_BYTES = 4


class TokenCodes:
    """Packs token vectors of one model, and scores what was packed; made by `tools/model/codes.py`.

    `axes` (dimension, n), `spread` (n) of the residuals along them in standard deviations, and `bits` (n) of each.
    """

    def __init__(self, axes: Vectors, spread: Vectors, bits: NDArray[np.uint8]) -> None:
        self._axes, self._bits = axes.astype(np.float32), bits
        self._step = spread * _STEPS[bits]
        self._axis = np.repeat(np.arange(len(bits)), bits)
        self._shift = np.concatenate([np.arange(count) for count in bits]).astype(np.uint8)

    @classmethod
    def fit(cls, documents: Sequence[Vectors], total_bits: int) -> Self:
        """Return codes of `total_bits` a token (a multiple of 8) for documents like these, each of shape (tokens, dimension)."""
        residuals = np.concatenate([vectors - vectors.mean(axis=0) for vectors in documents])
        variance, axes = np.linalg.eigh(residuals.T @ residuals / len(residuals))
        variance, axes = variance[::-1].astype(np.float32), axes[:, ::-1].astype(np.float32)
        bits = np.zeros(len(variance), np.uint8)
        for _ in range(total_bits):
            more = np.minimum(bits + 1, len(_DISTORTION) - 1)
            bits[np.argmax(variance * (_DISTORTION[bits] - _DISTORTION[more]))] += 1
        used = bits > 0
        return cls(axes[:, used].astype(np.float16), np.sqrt(variance[used]), bits[used])

    @classmethod
    def of(cls, model: str) -> TokenCodes | None:
        """Return the codes that come with this package for `model`, None if there are none."""
        file = files(__package__).joinpath("codes", f"{model}.npz")
        if not file.is_file():
            return None
        with np.load(BytesIO(file.read_bytes())) as arrays:
            return cls(arrays["axes"], arrays["spread"], arrays["bits"])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what `of` reads."""
        axes, spread = self._axes.astype(np.float16), self._step / _STEPS[self._bits]
        return {"axes": axes, "spread": spread, "bits": self._bits}

    @cached_property
    def mark(self) -> bytes:
        """What packed vectors begin with: codes that were fitted anew can't read those of others."""
        arrays = self.arrays()
        return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).digest()[:_MARK_BYTES]

    def pack(self, vectors: Vectors) -> bytes:
        """Return unit vectors, of shape (tokens, dimension), as a mark, their mean (float16) and the sum of `bits` a token."""
        mean = vectors.mean(axis=0).astype(np.float16) if len(vectors) else np.zeros(vectors.shape[1], np.float16)
        levels = np.floor((vectors - mean.astype(np.float32)) @ self._axes / self._step)
        half = 2.0 ** (self._bits.astype(np.float32) - 1)
        unsigned = (np.clip(levels, -half, half - 1) + half).astype(np.uint8)
        codes = np.packbits((unsigned[:, self._axis] >> self._shift) & 1, axis=1)
        return self.mark + mean.tobytes() + codes.tobytes()

    def readable(self, packed: bytes) -> bool:
        return packed.startswith(self.mark)

    def matches(self, question: Vectors, documents: Sequence[bytes]) -> Vectors:
        """Return about the greatest cosine of each question token with each packed document's, shape (documents, tokens).

        `question` are the question's unit token vectors; a document without tokens has its mean's cosines, 0.
        """
        turned = question @ self._axes * self._step
        parts = (turned[:, self._axis] * np.float32(2.0) ** self._shift).T
        constant = turned @ (0.5 - 2.0 ** (self._bits.astype(np.float32) - 1))
        start = _MARK_BYTES + 2 * len(self._axes)
        found = np.zeros((len(documents), len(question)), np.float32)
        for row, packed in zip(found, documents, strict=True):
            codes = np.frombuffer(packed, np.uint8, offset=start).reshape(-1, len(self._axis) // 8)
            if len(codes):
                mean = np.frombuffer(packed, np.float16, len(self._axes), _MARK_BYTES).astype(np.float32)
                bits = np.unpackbits(codes, axis=1).astype(np.float32)
                row[:] = (bits @ parts).max(axis=0) + constant + question @ mean
        return found


def exact_matches(question: Vectors, documents: Sequence[Vectors]) -> Vectors:
    """Return what `TokenCodes.matches` does for token vectors that were not packed."""
    found = [(question @ own.T).max(axis=1) if len(own) else np.zeros(len(question)) for own in documents]
    return np.array(found, np.float32).reshape(len(documents), len(question))


def relevance(matches: Vectors) -> list[float]:
    """Return each document's mean match, of shape (documents, tokens) before, with what tells them apart counting for more.

    A question token weighs as much as its best match exceeds its mean one: "the" is matched everywhere. ColBERT weighs
    all alike, which finds less here (docs/performance.md).
    """
    if not matches.size:
        return [0.0] * len(matches)
    weights = matches.max(axis=0) - matches.mean(axis=0) + 1e-6
    return [float(score) for score in matches @ weights / weights.sum()]
