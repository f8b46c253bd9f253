"""Whether one provider's vectors may stand in for another's: parity of cosines and of rankings, and its records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from llm_providers.base import EmbeddingProvider
from llm_providers.deadline import Deadline
from llm_providers.files import SharedFile, Stamp
from llm_providers.spaces.fingerprint import MIN_COSINE, PROBES, Fingerprint, places, row_cosines
from llm_providers.types import EmbedKind, Vectors

_KEPT = 50

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
        kind: [*(PROBES[place][1] for place in places(kind)), *own]
        for kind, own in ((EmbedKind.DOCUMENT, sample.documents), (EmbedKind.QUERY, sample.queries))
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


async def _embed(provider: EmbeddingProvider, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    return np.concatenate([await provider.embed(batch, kind, deadline) for batch in batches])


def _spearman(x: Vectors, y: Vectors) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


@dataclass(frozen=True)
class BackendSpace:
    """A backend, and the space that it had when it was compared."""

    backend: str
    space: Fingerprint


@dataclass(frozen=True)
class ParityRecord:
    """One comparison; `at` in ISO 8601, UTC."""

    a: BackendSpace
    b: BackendSpace
    parity: Parity
    at: str

    def equivalent(self, space: Fingerprint, backend: str) -> BackendSpace | None:
        """Return the side that is `backend`, if the other side is `space`."""
        for one, other in ((self.a, self.b), (self.b, self.a)):
            if other.backend == backend and one.space.differs_from(space) is None:
                return other
        return None


class ParityRecords:
    """The comparisons made, newest last, in parity.json in `folder`; in memory where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._file = SharedFile(folder / "parity.json") if folder is not None else None
        self._stamp: Stamp | None = None
        self._records: list[ParityRecord] = []

    @property
    def durable(self) -> bool:
        """Whether other processes see the records, and a restart keeps them."""
        return self._file is not None

    def add(self, a: BackendSpace, b: BackendSpace, parity: Parity) -> ParityRecord:
        """Keep a comparison, in place of an older one of the same two fingerprints; may block for a moment."""
        record = ParityRecord(a, b, parity, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._file.locked() if self._file else nullcontext():
            pair = _pair(record)
            self._records = [*(old for old in self.all() if _pair(old) != pair), record][-_KEPT:]
            if self._file is not None:
                self._file.write(json.dumps({"records": [_written(record) for record in self._records]}))
        return record

    def all(self) -> list[ParityRecord]:
        """Return every comparison on record."""
        if self._file is not None:
            stamp = self._file.stamp()
            if stamp is None:
                return []
            if stamp != self._stamp:
                self._records = [_read(item) for item in json.loads(self._file.read())["records"]]
                self._stamp = stamp
        return self._records

    def equivalent(self, space: Fingerprint, backend: str) -> Fingerprint | None:
        """Return the space in which `backend` may answer for `space`: None unless their newest comparison passed."""
        for record in reversed(self.all()):
            if (side := record.equivalent(space, backend)) is not None:
                return side.space if record.parity.passed else None
        return None


def _pair(record: ParityRecord) -> frozenset[tuple[str, str]]:
    return frozenset((side.backend, side.space.digest) for side in (record.a, record.b))


def _written(record: ParityRecord) -> dict[str, Any]:
    def side(side: BackendSpace) -> dict[str, Any]:
        return {"backend": side.backend, "digest": side.space.digest, "space": json.loads(side.space.to_json())}

    measured = {**asdict(record.parity), "passed": record.parity.passed}
    return {"a": side(record.a), "b": side(record.b), **measured, "at": record.at}


def _read(item: dict[str, Any]) -> ParityRecord:
    def side(row: dict[str, Any]) -> BackendSpace:
        return BackendSpace(row["backend"], Fingerprint.from_json(json.dumps(row["space"])))

    first, second = item["dimensions"]
    parity = Parity(item["cosine"], item["rank_agreement"], (first, second), item["mean_cosine"], item["samples"])
    return ParityRecord(side(item["a"]), side(item["b"]), parity, item["at"])
