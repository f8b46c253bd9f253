"""Behaviour added by wrapping: each wrapper satisfies exactly the protocol of what it wraps, and knows no backend."""

from llm_providers.routing.monitor import Observer
from llm_providers.routing.policy import Gates, InvalidPolicy, Policy, RolePolicy

__all__ = ["Gates", "InvalidPolicy", "Observer", "Policy", "RolePolicy"]
