"""Which vectors may be compared: a fingerprint for every index, and a parity test between two providers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.types import EmbeddingModel, EmbedKind, Vectors

MIN_COSINE = 0.99
MIN_RANK_AGREEMENT = 0.9

# Never changed: fingerprints on disk hold their vectors.
PROBES: tuple[tuple[EmbedKind, str], ...] = (
    (EmbedKind.DOCUMENT, "The lighthouse keeper wrote the weather into his book every evening."),
    (EmbedKind.DOCUMENT, "Invoices are payable within thirty days of receipt, without deduction."),
    (EmbedKind.DOCUMENT, "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen."),
    (EmbedKind.DOCUMENT, "def area(radius): return 3.14159 * radius ** 2"),
    (EmbedKind.DOCUMENT, "Der Zug nach Basel fährt heute auf Gleis sieben ab."),
    (EmbedKind.DOCUMENT, "The committee decided to postpone the vote until March."),
    (EmbedKind.QUERY, "When must a bill be paid?"),
    (EmbedKind.QUERY, "How do plants make energy?"),
    (EmbedKind.QUERY, "What did the meeting decide?"),
)


async def probe_vectors(provider: EmbeddingProvider, deadline: Deadline) -> Vectors:
    """The vectors of `PROBES`, one row each, in their order."""
    rows: dict[int, Vectors] = {}
    for kind in EmbedKind:
        places = [place for place, (k, _) in enumerate(PROBES) if k is kind]
        vectors = await provider.embed([PROBES[place][1] for place in places], kind, deadline)
        rows.update(zip(places, vectors, strict=True))
    return np.stack([rows[place] for place in range(len(PROBES))])


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An embedding space: what is known of its model, and where it puts the probe texts."""

    model: EmbeddingModel
    probes: tuple[tuple[float, ...], ...]

    @classmethod
    async def take(cls, provider: EmbeddingProvider, deadline: Deadline) -> Self:
        """Ask a provider; raises what `embed` raises."""
        model = await provider.embedding_model(deadline)
        vectors = await probe_vectors(provider, deadline)
        return cls(model, tuple(tuple(round(float(value), 6) for value in row) for row in vectors))

    def differs_from(self, other: Fingerprint) -> str | None:
        """Say how this space differs from another, naming both sides; None if vectors of the two may be mixed."""
        for field in fields(EmbeddingModel):
            mine, theirs = getattr(self.model, field.name), getattr(other.model, field.name)
            if mine != theirs:
                return f"{field.name.replace('_', ' ')}: {mine!r} here, {theirs!r} there"
        cosines = row_cosines(self.vectors, other.vectors)
        if cosines.min() < MIN_COSINE:
            return (
                f"probe vectors: {self.model.model!r} here and {other.model.model!r} there have the same name and "
                f"dimension, but place the same text apart (cosine {cosines.min():.3f}, {MIN_COSINE} needed)"
            )
        return None

    @property
    def vectors(self) -> Vectors:
        return np.asarray(self.probes, dtype=np.float32)

    def to_json(self) -> str:
        return json.dumps({"model": asdict(self.model), "probes": self.probes})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; raises ValueError for anything else."""
        try:
            data = json.loads(text)
            return cls(EmbeddingModel(**data["model"]), tuple(tuple(map(float, row)) for row in data["probes"]))
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a fingerprint: {error}") from error


@dataclass(frozen=True, slots=True)
class Parity:
    """How alike two providers' vectors are; `dimensions` of the two sides."""

    cosine: float
    rank_agreement: float
    dimensions: tuple[int, int]

    @property
    def passed(self) -> bool:
        """Whether one may stand in for the other on the same index."""
        return self.cosine >= MIN_COSINE and self.rank_agreement >= MIN_RANK_AGREEMENT


async def parity(a: EmbeddingProvider, b: EmbeddingProvider, deadline: Deadline) -> Parity:
    """Compare two providers on the probe texts: the lowest cosine of a text with itself, and the agreement of rankings.

    Rank agreement is the mean Spearman correlation, over the probe queries, of how the two rank the probe documents.
    """
    left, right = await probe_vectors(a, deadline), await probe_vectors(b, deadline)
    dimensions = (left.shape[1], right.shape[1])
    agreement = float(
        np.mean([_spearman(x, y) for x, y in zip(_similarities(left), _similarities(right), strict=True)])
    )
    cosine = float(row_cosines(left, right).min()) if dimensions[0] == dimensions[1] else 0.0
    return Parity(cosine, agreement, dimensions)


def row_cosines(a: Vectors, b: Vectors) -> Vectors:
    """Cosines of the rows of two matrices of the same shape."""
    cosines: Vectors = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return cosines


def _similarities(vectors: Vectors) -> Vectors:
    queries = [place for place, (kind, _) in enumerate(PROBES) if kind is EmbedKind.QUERY]
    documents = [place for place, (kind, _) in enumerate(PROBES) if kind is EmbedKind.DOCUMENT]
    similarities: Vectors = vectors[queries] @ vectors[documents].T
    return similarities


def _spearman(x: Vectors, y: Vectors) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
