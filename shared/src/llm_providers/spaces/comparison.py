"""Whether one provider's vectors may stand in for another's: parity of cosines and of rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.spaces.fingerprint import MIN_COSINE, PROBES, row_cosines
from llm_providers.types import EmbedKind, Vectors

MIN_RANK_AGREEMENT = 0.9
_BATCH = 32


@dataclass(frozen=True, slots=True)
class ParitySample:
    """Texts of an index's own, compared besides the probes."""

    documents: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parity:
    """How alike two providers' vectors are; `dimensions` of the two sides, `samples` the texts compared.

    `cosine` is the lowest of a text with itself, `rank_agreement` the mean Spearman correlation, over the queries, of how
    the two rank the documents.
    """

    cosine: float
    rank_agreement: float
    dimensions: tuple[int, int]
    mean_cosine: float = 0.0
    samples: int = len(PROBES)

    @property
    def passed(self) -> bool:
        """Whether one may stand in for the other on the same index."""
        return self.cosine >= MIN_COSINE and self.rank_agreement >= MIN_RANK_AGREEMENT


async def parity(
    a: EmbeddingProvider, b: EmbeddingProvider, deadline: Deadline, sample: ParitySample | None = None
) -> Parity:
    """Compare two providers on the probe texts and on a `sample`; raises what either raises."""
    sample = sample or ParitySample()
    texts = {
        EmbedKind.DOCUMENT: [*_probes(EmbedKind.DOCUMENT), *sample.documents],
        EmbedKind.QUERY: [*_probes(EmbedKind.QUERY), *sample.queries],
    }
    left, right = [{kind: await _embed(side, texts[kind], kind, deadline) for kind in EmbedKind} for side in (a, b)]
    dimensions = (left[EmbedKind.QUERY].shape[1], right[EmbedKind.QUERY].shape[1])
    rankings = [side[EmbedKind.QUERY] @ side[EmbedKind.DOCUMENT].T for side in (left, right)]
    agreement = float(np.mean([_spearman(x, y) for x, y in zip(*rankings, strict=True)]))
    samples = sum(map(len, texts.values()))
    if dimensions[0] != dimensions[1]:
        return Parity(0.0, agreement, dimensions, 0.0, samples)
    cosines = np.concatenate([row_cosines(left[kind], right[kind]) for kind in EmbedKind])
    return Parity(float(cosines.min()), agreement, dimensions, float(cosines.mean()), samples)


def _probes(kind: EmbedKind) -> list[str]:
    return [text for probed, text in PROBES if probed is kind]


async def _embed(provider: EmbeddingProvider, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    return np.concatenate([await provider.embed(batch, kind, deadline) for batch in batches])


def _spearman(x: Vectors, y: Vectors) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
