"""Which vectors may be compared: fingerprints, providers held to one, parity of two, and who may stand in for whom."""

from llm_providers.spaces.comparison import MIN_RANK_AGREEMENT, Parity, Sample, parity
from llm_providers.spaces.fingerprint import MIN_COSINE, PROBES, Fingerprint, probe_vectors, row_cosines
from llm_providers.spaces.records import ParityRecord, ParityRecords, Side
from llm_providers.spaces.standby import Embedders, Standby, StandIn
from llm_providers.spaces.verified import Verified

__all__ = [
    "MIN_COSINE",
    "MIN_RANK_AGREEMENT",
    "PROBES",
    "Embedders",
    "Fingerprint",
    "Parity",
    "ParityRecord",
    "ParityRecords",
    "Sample",
    "Side",
    "StandIn",
    "Standby",
    "Verified",
    "parity",
    "probe_vectors",
    "row_cosines",
]
