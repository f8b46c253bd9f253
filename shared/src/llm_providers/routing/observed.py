"""What is measured about every call on a backend."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import monotonic, time
from typing import Protocol, TypeVar

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import ProviderError
from llm_providers.routing._wrapper import P, Wrapper
from llm_providers.routing.policy import Policy
from llm_providers.types import ChatEvent, ChatRequest, Done, Role

T = TypeVar("T")


class Observer(Protocol):
    """Where measurements go; called from the event loop, so it must not block."""

    def on_request(
        self, role: Role, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        """`outcome` is "ok", "cancelled" or the error's type in snake case."""

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None: ...

    def on_breaker(self, role: Role, backend: str, state: str) -> None: ...

    def on_policy(self, policy: Policy) -> None:
        """A policy has come into effect in this process."""

    def on_trip(self, role: Role, candidate: str, gate: str) -> None:
        """A gate has ended a candidate's canary."""

    def on_shadow(self, role: Role, candidate: str, outcome: str) -> None:
        """`outcome` is "sampled", then "done", "failed" or "dropped"; "unstored" too where it couldn't be written down."""


class Silent:
    """An `Observer` that keeps nothing."""

    def on_request(
        self, role: Role, backend: str, outcome: str, seconds: float, first_token_seconds: float | None
    ) -> None:
        return None

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        return None

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        return None

    def on_policy(self, policy: Policy) -> None:
        return None

    def on_trip(self, role: Role, candidate: str, gate: str) -> None:
        return None

    def on_shadow(self, role: Role, candidate: str, outcome: str) -> None:
        return None


def outcome_of(error: BaseException) -> str:
    """The name an error goes by in metrics."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


class Observed(Wrapper[P]):
    """Reports each call, and remembers when the backend last did real work."""

    def __init__(self, provider: P, role: Role, observer: Observer) -> None:
        self._provider, self._role, self._observer = provider, role, observer
        self.last_success: float | None = None
        self.last_error: ProviderError | None = None

    @property
    def name(self) -> str:
        return self._provider.name

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        begun = monotonic()
        try:
            result = await call(self._provider)
        except BaseException as error:
            self._report(error, begun, None)
            raise
        self._report(None, begun, None)
        return result

    async def ask(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        return await call(self._provider)

    async def chat(
        self: Observed[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        begun, first, done = monotonic(), None, False
        try:
            async with aclosing(self._provider.chat(request, deadline)) as stream:
                async for event in stream:
                    if first is None:
                        first = monotonic() - begun
                    done = isinstance(event, Done)
                    if done:
                        self._report(None, begun, first)
                    yield event
        except BaseException as error:
            # A consumer that stops after `Done` has had its whole answer.
            if not done:
                self._report(error, begun, first)
            raise

    def _report(self, error: BaseException | None, begun: float, first: float | None) -> None:
        if error is None:
            self.last_success, self.last_error = time(), None
        elif isinstance(error, ProviderError):
            self.last_error = error
        outcome = "ok" if error is None else outcome_of(error)
        self._observer.on_request(self._role, self.name, outcome, monotonic() - begun, first)
