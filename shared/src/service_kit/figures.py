"""What each engine did in the last hour, minute by minute, as the page plots it; of this process, and only in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import time

from pydantic import BaseModel, Field

from llm_providers.percentile import percentile

MINUTES = 60
_KEPT = 500
"""Samples of a minute from which its percentiles are taken."""


class MinuteOut(BaseModel):
    """One minute of an engine in one role."""

    minute: int = Field(description="Minutes since 1970 (UTC)")
    requests: int
    errors: int
    seconds_p50: float | None = Field(description="Time of a call")
    first_token_p50: float | None
    first_token_p95: float | None
    tokens_per_second: float | None = Field(description="Of one answer, after its first token; mean")


@dataclass(slots=True)
class _Minute:
    number: int
    requests: int = 0
    errors: int = 0
    seconds: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    tokens: int = 0
    token_seconds: float = 0.0

    def shown(self) -> MinuteOut:
        return MinuteOut(
            minute=self.number,
            requests=self.requests,
            errors=self.errors,
            seconds_p50=_percentile(self.seconds, 50),
            first_token_p50=_percentile(self.first_tokens, 50),
            first_token_p95=_percentile(self.first_tokens, 95),
            tokens_per_second=round(self.tokens / self.token_seconds, 2) if self.token_seconds > 0 else None,
        )


class Figures:
    """Counts by role, engine and minute; minutes without a call have no entry."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, str], deque[_Minute]] = {}

    def add(self, role: str, backend: str, seconds: float, first_token: float | None, *, error: bool) -> None:
        minute = self._now(role, backend)
        minute.requests += 1
        minute.errors += error
        if not error and len(minute.seconds) < _KEPT:
            minute.seconds.append(seconds)
            if first_token is not None:
                minute.first_tokens.append(first_token)

    def add_tokens(self, role: str, backend: str, tokens: int, seconds: float) -> None:
        minute = self._now(role, backend)
        minute.tokens += tokens
        minute.token_seconds += seconds

    def shown(self) -> dict[str, dict[str, list[MinuteOut]]]:
        """Return the last hour by role and engine, oldest first."""
        since = _minute() - MINUTES
        found: dict[str, dict[str, list[MinuteOut]]] = {}
        for (role, backend), minutes in self._minutes.items():
            found.setdefault(role, {})[backend] = [minute.shown() for minute in minutes if minute.number > since]
        return found

    def _now(self, role: str, backend: str) -> _Minute:
        minutes = self._minutes.setdefault((role, backend), deque(maxlen=MINUTES))
        if not minutes or minutes[-1].number != _minute():
            minutes.append(_Minute(_minute()))
        return minutes[-1]


def _percentile(values: list[float], percent: float) -> float | None:
    return round(percentile(values, percent), 4) if values else None


def _minute() -> int:
    return int(time() // 60)
