"""The fingerprint of an embedding space: what is known of its model, and the vectors of texts that never change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Self

import numpy as np

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.types import EmbeddingModel, EmbedKind, Vectors, same_model

MIN_COSINE = 0.99

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


def places(kind: EmbedKind) -> list[int]:
    """Where in `PROBES` the texts of a kind are."""
    return [place for place, (probed, _) in enumerate(PROBES) if probed is kind]


async def probe_vectors(provider: EmbeddingProvider, deadline: Deadline) -> Vectors:
    """The vectors of `PROBES`, one row each, in their order."""
    rows: dict[int, Vectors] = {}
    for kind in EmbedKind:
        vectors = await provider.embed([PROBES[place][1] for place in places(kind)], kind, deadline)
        rows.update(zip(places(kind), vectors, strict=True))
    return np.stack([rows[place] for place in range(len(PROBES))])


@dataclass(frozen=True)
class Fingerprint:
    """An embedding space: what is known of its model, and where it puts the probe texts."""

    model: EmbeddingModel
    probes: tuple[tuple[float, ...], ...]

    @classmethod
    async def take(cls, provider: EmbeddingProvider, deadline: Deadline) -> Self:
        """Ask a provider; raises what `embed` raises."""
        model = await provider.embedding_model(deadline)
        vectors = await probe_vectors(provider, deadline)
        # The provider may remember the dimension of an engine that has been replaced since.
        model = replace(model, dimension=vectors.shape[1])
        return cls(model, tuple(tuple(round(float(value), 6) for value in row) for row in vectors))

    def differs_from(self, other: Fingerprint) -> str | None:
        """Say how this space differs from another, naming both sides; None if vectors of the two may be mixed."""
        for field in fields(EmbeddingModel):
            mine, theirs = getattr(self.model, field.name), getattr(other.model, field.name)
            if mine != theirs and not (field.name == "model" and same_model(mine, theirs)):
                return f"{field.name.replace('_', ' ')}: {mine!r} here, {theirs!r} there"
        cosines = row_cosines(self.vectors, other.vectors)
        if cosines.min() < MIN_COSINE:
            return (
                f"probe vectors: {self.model.model!r} here and {other.model.model!r} there have the same name and "
                f"dimension, but place the same text apart (cosine {cosines.min():.3f}, {MIN_COSINE} needed)"
            )
        return None

    @cached_property
    def vectors(self) -> Vectors:
        """The probe vectors, of shape (len(PROBES), dimension)."""
        return np.asarray(self.probes, dtype=np.float32)

    @cached_property
    def digest(self) -> str:
        """Name this very fingerprint, in hexadecimal: two taken of one space differ, by the vectors' last digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

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


def row_cosines(a: Vectors, b: Vectors) -> Vectors:
    """Cosines of the rows of two matrices of the same shape."""
    cosines: Vectors = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return cosines
