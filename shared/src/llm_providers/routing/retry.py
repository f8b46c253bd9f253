"""The same backend again, a little later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from llm_providers.deadline import Deadline
from llm_providers.errors import Unavailable
from llm_providers.routing._wrapper import P, Wrapper

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: `base` doubled with every attempt up to `longest`, a random part of it taken off.

    Full jitter, after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    attempts: int = 3
    base: float = 0.2
    longest: float = 5.0

    def wait(self, attempt: int, error: Unavailable) -> float:
        """Seconds before the attempt after the `attempt`-th (from 1); never less than the server asked for."""
        ceiling = min(self.longest, self.base * 2 ** (attempt - 1))
        return max(error.retry_after or 0.0, random.uniform(0.0, ceiling))  # noqa: S311


class Retry(Wrapper[P]):
    """Tries a call up to `attempts` times, only before its answer has begun and only within the deadline."""

    def __init__(
        self,
        provider: P,
        backoff: Backoff | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._provider, self._backoff, self._sleep = provider, backoff or Backoff(), sleep

    @property
    def name(self) -> str:
        return self._provider.name

    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        attempt = 1
        while True:
            deadline.check()
            try:
                return await call(self._provider)
            except Unavailable as error:
                wait = self._backoff.wait(attempt, error)
                # A server that wants to be left alone for longer is one to fall back from, not to wait for.
                if attempt >= self._backoff.attempts or wait > min(self._backoff.longest, deadline.remaining):
                    raise
                await self._sleep(wait)
                attempt += 1
