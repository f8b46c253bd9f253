"""One time budget per request, shared by every attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from llm_providers.errors import DeadlineExceeded, Timeout


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(monotonic() + seconds)

    @property
    def remaining(self) -> float:
        return self.at - monotonic()

    def check(self) -> None:
        """Raise `DeadlineExceeded` once the budget is spent."""
        if self.remaining <= 0:
            raise DeadlineExceeded("the request's time budget is spent")

    @asynccontextmanager
    async def limit(self, seconds: float, what: str) -> AsyncGenerator[None, None]:
        """Bound the block by `seconds` and by the deadline: raises `Timeout` for the first, `DeadlineExceeded` for it."""
        self.check()
        left = self.remaining
        try:
            async with asyncio.timeout(min(seconds, left)):
                yield
        except TimeoutError as error:
            if left <= seconds:
                raise DeadlineExceeded("the request's time budget is spent") from error
            raise Timeout(f"{what} took longer than {seconds:g} s") from error


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first output (a model may have to load), and between two pieces of output."""

    connect: float = 5.0
    first_token: float = 120.0
    idle: float = 30.0
