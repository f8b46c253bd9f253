"""Token vectors in a few bits, kept so that re-ranking needs no text again: late interaction as in ColBERT.

The score of a document is the mean of each question token's best match (https://arxiv.org/abs/2004.12832). As ColBERTv2
does (https://arxiv.org/abs/2112.01488), document tokens are stored in a few bits. Here they are centred and turned to their
principal axes, and each axis has as many bits as its share of the variance earns (reverse water-filling: Cover and Thomas,
Elements of Information Theory, chapter 10). A stored bit stands for a fixed part of a coordinate, so that a score is one
matrix product of bits and a question that was multiplied with those parts beforehand.
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

    `mean` (dimension), `axes` (dimension, n), `spread` (n) of the coordinates along the axes, and `bits` (n) of each.
    """

    def __init__(self, mean: Vectors, axes: Vectors, spread: Vectors, bits: NDArray[np.uint8]) -> None:
        self._mean, self._axes, self._bits = mean, axes.astype(np.float32), bits
        self._step = spread * _STEPS[bits]
        self._axis = np.repeat(np.arange(len(bits)), bits)
        self._shift = np.concatenate([np.arange(count) for count in bits]).astype(np.uint8)

    @classmethod
    def fit(cls, vectors: Vectors, total_bits: int) -> Self:
        """Return codes of `total_bits` a token (a multiple of 8) for vectors like these, of shape (many, dimension)."""
        mean = vectors.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov((vectors - mean).T))
        variance, axes = variance[::-1].astype(np.float32), axes[:, ::-1].astype(np.float32)
        bits = np.zeros(len(variance), np.uint8)
        for _ in range(total_bits):
            more = np.minimum(bits + 1, len(_DISTORTION) - 1)
            bits[np.argmax(variance * (_DISTORTION[bits] - _DISTORTION[more]))] += 1
        used = bits > 0
        return cls(mean, axes[:, used].astype(np.float16), np.sqrt(variance[used]), bits[used])

    @classmethod
    def of(cls, model: str) -> TokenCodes | None:
        """Return the codes that come with this package for `model`, None if there are none."""
        file = files(__package__).joinpath("codes", f"{model}.npz")
        if not file.is_file():
            return None
        with np.load(BytesIO(file.read_bytes())) as arrays:
            return cls(arrays["mean"], arrays["axes"], arrays["spread"], arrays["bits"])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what `of` reads."""
        axes, spread = self._axes.astype(np.float16), self._step / _STEPS[self._bits]
        return {"mean": self._mean, "axes": axes, "spread": spread, "bits": self._bits}

    @cached_property
    def mark(self) -> bytes:
        """What packed vectors begin with: codes that were fitted anew can't read those of others."""
        arrays = self.arrays()
        return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).digest()[:_MARK_BYTES]

    def pack(self, vectors: Vectors) -> bytes:
        """Return unit vectors, of shape (tokens, dimension), as a mark and the sum of `bits` a token."""
        levels = np.floor((vectors - self._mean) @ self._axes / self._step)
        half = 2.0 ** (self._bits.astype(np.float32) - 1)
        unsigned = (np.clip(levels, -half, half - 1) + half).astype(np.uint8)
        return self.mark + np.packbits((unsigned[:, self._axis] >> self._shift) & 1, axis=1).tobytes()

    def readable(self, packed: bytes) -> bool:
        return packed.startswith(self.mark)

    def scores(self, question: Vectors, documents: Sequence[bytes]) -> list[float]:
        """Return the likeness of each packed document to the question's token vectors, float32 of shape (tokens, dimension).

        It estimates the mean of the tokens' greatest cosines; a document without tokens has 0.
        """
        turned = question @ self._axes * self._step
        parts = (turned[:, self._axis] * np.float32(2.0) ** self._shift).T
        constant = float((turned @ (0.5 - 2.0 ** (self._bits.astype(np.float32) - 1)) + question @ self._mean).mean())
        width = len(self._axis) // 8
        codes = [np.frombuffer(packed, np.uint8, offset=_MARK_BYTES).reshape(-1, width) for packed in documents]
        likeness = np.unpackbits(np.concatenate(codes), axis=1).astype(np.float32) @ parts if codes else parts[:0]
        ends = np.cumsum([len(code) for code in codes])
        pieces = np.split(likeness, ends[:-1]) if codes else []
        return [float(piece.max(axis=0).mean()) + constant if len(piece) else 0.0 for piece in pieces]
