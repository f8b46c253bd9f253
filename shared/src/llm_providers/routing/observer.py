"""Where measurements of the calls on backends go."""

from __future__ import annotations

import asyncio
import re

from llm_providers.routing.policy import Policy
from llm_providers.types import Role


class Observer:
    """Receives measurements, and ignores them unless a method is overridden.

    Called from the event loop, so it must not block.
    """

    def on_request(
        self, role: Role, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        """A call has ended; `outcome` is "ok", "cancelled" or the error's type in snake case."""

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        """A request was handed to another backend."""

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        """A circuit breaker has changed its state."""

    def on_policy(self, policy: Policy) -> None:
        """A policy has come into effect in this process."""

    def on_trip(self, role: Role, candidate: str, gate: str) -> None:
        """A gate has ended a candidate's canary."""

    def on_shadow(self, role: Role, candidate: str, outcome: str) -> None:
        """`outcome` is "sampled", then "done", "failed" or "dropped"; "unstored" too where it couldn't be written."""


def outcome_of(error: BaseException) -> str:
    """Return the name of an error in metrics."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
