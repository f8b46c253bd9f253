"""Behaviour added by wrapping: each wrapper satisfies exactly the protocol of what it wraps, and knows no backend."""

from llm_providers.routing.breaker import BreakerState, CircuitBreaker
from llm_providers.routing.canary import Canary, SampledChat
from llm_providers.routing.fallback import FallbackChat, FallbackRerank
from llm_providers.routing.long_texts import LongTexts
from llm_providers.routing.monitor import Monitor, MonitoredChat, MonitoredEmbeddings, MonitoredRerank
from llm_providers.routing.observer import Observer
from llm_providers.routing.policy import CHAT_ROLES, Gates, InvalidPolicy, OnBreak, Policy, RolePolicy
from llm_providers.routing.policy_file import PolicyError, PolicyFile
from llm_providers.routing.retry import Backoff, RetriedChat, RetriedEmbeddings, RetriedRerank
from llm_providers.routing.rollout import Rollout
from llm_providers.routing.shadow import Shadow, ShadowRunner
from llm_providers.routing.switch import Switch, SwitchedChat, SwitchedEmbeddings, SwitchedRerank
from llm_providers.routing.trial import Trial

__all__ = [
    "CHAT_ROLES",
    "Backoff",
    "BreakerState",
    "Canary",
    "CircuitBreaker",
    "FallbackChat",
    "FallbackRerank",
    "Gates",
    "InvalidPolicy",
    "LongTexts",
    "Monitor",
    "MonitoredChat",
    "MonitoredEmbeddings",
    "MonitoredRerank",
    "Observer",
    "OnBreak",
    "Policy",
    "PolicyError",
    "PolicyFile",
    "RetriedChat",
    "RetriedEmbeddings",
    "RetriedRerank",
    "RolePolicy",
    "Rollout",
    "SampledChat",
    "Shadow",
    "ShadowRunner",
    "Switch",
    "SwitchedChat",
    "SwitchedEmbeddings",
    "SwitchedRerank",
    "Trial",
]
