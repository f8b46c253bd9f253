"""Which vectors may be compared: fingerprints, providers held to one, parity of two, and fallbacks that it allows."""

from llm_providers.spaces.comparison import MIN_RANK_AGREEMENT, Parity, ParitySample, parity
from llm_providers.spaces.fallback import EmbeddingBackends, EmbeddingFallback
from llm_providers.spaces.fingerprint import MIN_COSINE, PROBES, Fingerprint, probe_vectors, row_cosines
from llm_providers.spaces.records import BackendSpace, ParityRecord, ParityRecords
from llm_providers.spaces.verified import Verified

__all__ = [
    "MIN_COSINE",
    "MIN_RANK_AGREEMENT",
    "PROBES",
    "BackendSpace",
    "EmbeddingBackends",
    "EmbeddingFallback",
    "Fingerprint",
    "Parity",
    "ParityRecord",
    "ParityRecords",
    "ParitySample",
    "Verified",
    "parity",
    "probe_vectors",
    "row_cosines",
]
