"""Which vectors may be compared: fingerprints, providers held to one, parity of two, and fallbacks that it allows."""

from llm_providers.spaces.comparison import BackendSpace, Parity, ParityRecords, ParitySample, parity
from llm_providers.spaces.fallback import EmbeddingFallback
from llm_providers.spaces.fingerprint import Fingerprint

__all__ = ["BackendSpace", "EmbeddingFallback", "Fingerprint", "Parity", "ParityRecords", "ParitySample", "parity"]
