"""Behaviour added by wrapping: every wrapper satisfies the protocol of what it wraps, and knows no backend."""

from llm_providers.routing.breaker import Breaker, BreakerState
from llm_providers.routing.canary import Canary, Judged
from llm_providers.routing.fallback import Fallback
from llm_providers.routing.long_texts import LongTexts
from llm_providers.routing.observed import Observed, Observer, Silent
from llm_providers.routing.policy import Gates, InvalidPolicy, OnBreak, Policy, RolePolicy
from llm_providers.routing.policy_file import PolicyError, PolicyFile
from llm_providers.routing.retry import Backoff, Retry
from llm_providers.routing.shadow import Shadow, ShadowDesk
from llm_providers.routing.switch import Switch
from llm_providers.routing.trial import Trial

__all__ = [
    "Backoff",
    "Breaker",
    "BreakerState",
    "Canary",
    "Fallback",
    "Gates",
    "InvalidPolicy",
    "Judged",
    "LongTexts",
    "Observed",
    "Observer",
    "OnBreak",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "Retry",
    "RolePolicy",
    "Shadow",
    "ShadowDesk",
    "Silent",
    "Switch",
    "Trial",
]
