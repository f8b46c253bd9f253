"""The rollout of a role's candidate: its canary and its shadow, and what ends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llm_providers.base import LLMProvider
from llm_providers.routing.monitor import Observer
from llm_providers.routing.policy import Policy, RolePolicy
from llm_providers.routing.policy_file import PolicyError, PolicyFile, StalePolicy
from llm_providers.routing.shadow import Comparison, Embed, ShadowRunner
from llm_providers.routing.trial import Trial, Trip
from llm_providers.types import Role

_LOG_BYTES = 16_000_000


class Rollout:
    """The state of a candidate, which outlives policies that say the same of it.

    `trial` is None where there is no canary, `shadow` where there is no shadow.
    """

    def __init__(
        self, role: Role, file: PolicyFile, observer: Observer, embed: Embed | None, shadow_seconds: float
    ) -> None:
        self._role, self._file, self._observer = role, file, observer
        self._embed, self._shadow_seconds = embed, shadow_seconds
        self.trial: Trial | None = None
        self.shadow: ShadowRunner | None = None
        self._trial_of: tuple[Any, ...] = ()
        self._since = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def apply(self, policy: Policy, candidate: LLMProvider | None) -> None:
        """Begin, continue or end the canary and the shadow as `policy` says; `candidate` is its bare backend."""
        wanted = policy.roles[self._role]
        self.trial = self._trial_for(wanted, policy)
        self.shadow = self._shadow_for(wanted, candidate)

    def canary_report(self) -> dict[str, Any] | None:
        """Return both sides' figures and the gates that tripped; None without a canary."""
        if self.trial is None:
            return None
        now = self._file.current.roles[self._role]
        head = {"candidate": now.candidate, "percent": now.canary_percent, "since": self._since}
        return {**head, **self.trial.report()}

    def shadow_report(self) -> dict[str, Any] | None:
        """Return the figures of the comparisons so far; None without a shadow."""
        return self.shadow.report() if self.shadow else None

    async def aclose(self) -> None:
        """Stop the background work."""
        if self.shadow is not None:
            await self.shadow.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _trial_for(self, wanted: RolePolicy, policy: Policy) -> Trial | None:
        if not wanted.canary_percent:
            # The gates that ended it can be read until there is another.
            return self.trial if self._trial_of[:2] == (wanted.stable, wanted.candidate) else None
        same = (wanted.stable, wanted.candidate, wanted.canary_percent, policy.gates)
        # A canary that is set again after it was stopped is tried again.
        if self.trial is not None and not self.trial.tripped and self._trial_of == same:
            return self.trial
        self._trial_of, self._since = same, policy.changed.at.isoformat()
        return Trial(policy.gates, lambda trips: self._tripped(wanted.candidate or "", trips))

    def _shadow_for(self, wanted: RolePolicy, candidate: LLMProvider | None) -> ShadowRunner | None:
        running = self.shadow
        if running is not None and running.provider is candidate:
            return running
        if running is not None:
            self._later(running.aclose())
        if candidate is None or not wanted.shadow_percent or self._embed is None:
            return None

        def count(outcome: str) -> None:
            self._observer.on_shadow(self._role, candidate.name, outcome)

        return ShadowRunner(candidate, self._shadow_seconds, self._embed, self._store, count)

    def _tripped(self, candidate: str, trips: Sequence[Trip]) -> None:
        for trip in trips:
            self._observer.on_trip(self._role, candidate, trip.gate)
        why = "; ".join(trip.words for trip in trips)
        self._later(self._stop_canary(candidate, f"canary of {candidate} stopped: {why}"))

    async def _stop_canary(self, candidate: str, why: str) -> None:
        """Write it into the policy for every replica, unless another replica already has."""

        def without_canary(policy: Policy) -> Policy:
            return policy.with_role(self._role, canary_percent=0)

        try:
            while (now := await asyncio.to_thread(self._file.read)).roles[self._role].candidate == candidate:
                if not now.roles[self._role].canary_percent:
                    return
                with suppress(StalePolicy):
                    stopped = await asyncio.to_thread(self._file.replace, now.revision, without_canary, "gate", why)
                    await self._file.adopt(stopped)
        except (OSError, PolicyError) as error:
            self._file.fault = f"{why}; in this process only, because the policy can't be written: {error}"

    async def _store(self, comparison: Comparison) -> None:
        if (folder := self._file.folder) is not None:
            line = json.dumps({"role": self._role, **asdict(comparison)}) + "\n"
            await asyncio.to_thread(_append, folder / "shadow.jsonl", line)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _append(path: Path, line: str) -> None:
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".jsonl.1"))
    with path.open("a") as file:
        file.write(line)
