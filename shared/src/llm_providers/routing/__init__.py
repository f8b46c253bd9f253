"""Behaviour added by wrapping: every wrapper satisfies the protocol of what it wraps, and knows no backend."""

from llm_providers.routing.breaker import Breaker, BreakerState
from llm_providers.routing.fallback import Fallback
from llm_providers.routing.long_texts import LongTexts
from llm_providers.routing.observed import Observed, Observer, Silent
from llm_providers.routing.retry import Backoff, Retry

__all__ = ["Backoff", "Breaker", "BreakerState", "Fallback", "LongTexts", "Observed", "Observer", "Retry", "Silent"]
