"""Ready means that real tokens and vectors came out lately."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import time

from llm_providers.deadline import Deadline
from llm_providers.errors import AllBackendsFailed, ModelLoading, ProviderError, Timeout, Unavailable
from llm_providers.types import Role


class ReadinessState(StrEnum):
    """Of a role, or of the whole: the worst of its roles; from best to worst."""

    READY = "ready"
    LOADING = "loading"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class RoleReadiness:
    """`elapsed` seconds in this state; `retry_after` seconds until asking again is worth while."""

    state: ReadinessState
    elapsed: float
    retry_after: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RoleWatch:
    """One role as readiness sees it: when it last worked (Unix time), and how to make it work once."""

    last_success: Callable[[], float | None]
    probe: Callable[[Deadline], Awaitable[None]]


@dataclass(slots=True)
class _Failure:
    at: float
    state: ReadinessState
    detail: str


class Readiness:
    """Watches roles: traffic counts as proof; where there is none for `interval` seconds, a one-token probe is made.

    A proof is good for two intervals, unless a probe has failed since.
    """

    def __init__(
        self,
        roles: Mapping[Role, RoleWatch],
        *,
        interval: float = 30.0,
        probe_seconds: float = 120.0,
        loading_seconds: float = 600.0,
    ) -> None:
        self._watched = dict(roles)
        self._interval, self._probe_seconds, self._loading_seconds = interval, probe_seconds, loading_seconds
        self._begun = time()
        self._failures: dict[Role, _Failure] = {}
        self._states: dict[Role, tuple[ReadinessState, float]] = dict.fromkeys(
            roles, (ReadinessState.LOADING, self._begun)
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, required: set[Role] | None = None) -> None:
        """Begin to watch `required` roles (all that are served, by default), each in a task of its own."""
        if self._tasks:
            return
        if required is not None:
            self._watched = {role: watched for role, watched in self._watched.items() if role in required}
        self._begun = time()
        self._tasks = [asyncio.create_task(self._watch(role), name=f"readiness-{role}") for role in self._watched]

    async def aclose(self) -> None:
        """Stop watching; may be called twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def roles(self) -> dict[Role, RoleReadiness]:
        """The state of every watched role now."""
        return {role: self._of(role) for role in self._watched}

    @property
    def state(self) -> ReadinessState:
        """The worst of the watched roles."""
        states = {readiness.state for readiness in self.roles().values()}
        return max(states, key=list(ReadinessState).index, default=ReadinessState.READY)

    async def check(self, role: Role) -> RoleReadiness:
        """Probe one role now, traffic or not, and return what came of it."""
        try:
            await self._watched[role].probe(Deadline.after(self._probe_seconds))
        except ProviderError as error:
            self._failures[role] = _Failure(time(), self._meaning(role, error), str(error))
        except Exception as error:
            # A fault of ours, not of the engine: a watcher that dies of it would leave the last state standing.
            self._failures[role] = _Failure(time(), ReadinessState.UNAVAILABLE, f"{type(error).__name__}: {error}")
        else:
            self._failures.pop(role, None)
        return self._of(role)

    async def _watch(self, role: Role) -> None:
        while True:
            last = self._watched[role].last_success()
            if last is None or time() - last >= self._interval or role in self._failures:
                await self.check(role)
            # What is not ready is looked at more often: somebody waits for it.
            await asyncio.sleep(min(1.0, self._interval / 2) if role in self._failures else self._interval / 2)

    def _meaning(self, role: Role, error: ProviderError) -> ReadinessState:
        """A server that never worked yet is given time to load: vLLM refuses connections until it has."""
        causes = error.errors if isinstance(error, AllBackendsFailed) else [error]
        if any(isinstance(cause, ModelLoading | Timeout) for cause in causes):
            return ReadinessState.LOADING
        young = self._watched[role].last_success() is None and time() - self._begun < self._loading_seconds
        return ReadinessState.LOADING if young and isinstance(error, Unavailable) else ReadinessState.UNAVAILABLE

    def _of(self, role: Role) -> RoleReadiness:
        state, detail = self._now(role)
        if self._states[role][0] is not state:
            self._states[role] = (state, time())
        elapsed = max(0.0, time() - self._states[role][1])
        retry_after = None if state is ReadinessState.READY else min(self._interval, 5.0)
        return RoleReadiness(state, elapsed, retry_after, detail)

    def _now(self, role: Role) -> tuple[ReadinessState, str]:
        last, failure = self._watched[role].last_success(), self._failures.get(role)
        if failure is not None and (last is None or failure.at >= last):
            return failure.state, failure.detail
        if last is None:
            return ReadinessState.LOADING, "nothing has been produced yet"
        if time() - last > 2 * self._interval:
            return ReadinessState.UNAVAILABLE, f"nothing has been produced for {time() - last:.0f} s"
        return ReadinessState.READY, ""
