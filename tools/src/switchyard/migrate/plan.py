"""The plan of a migration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from switchyard import transitions
from switchyard.client import StackError
from switchyard.tables import percent
from switchyard.transitions import Policy


@dataclass(frozen=True, slots=True)
class StageLimits:
    """Limits that the candidate must keep; the gates of the canary are the server's (`switchyard providers gates`)."""

    hold_seconds: float = 120.0
    min_requests: int = 20
    min_shadow: int = 20
    min_similarity: float = 0.5
    max_shadow_failures: float = 0.05
    max_broken_json: float = 0.05
    max_more_refusals: float = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: `kind` is shadow, canary or promote; `percent` of requests or of conversations."""

    kind: str
    percent: float = 0.0

    @property
    def name(self) -> str:
        return "promote" if self.kind == "promote" else f"{self.kind} {self.percent:g} %"


@dataclass(frozen=True, slots=True)
class Plan:
    """From `source` to `target` for one role, a stage after the other."""

    source: str
    target: str
    role: str
    stages: tuple[Stage, ...]
    limits: StageLimits
    with_embeddings: bool = False
    collection: str = "default"

    def step(self, stage: Stage, policy: Policy) -> Policy:
        """Return the policy under which `stage` runs."""
        if stage.kind == "promote":
            return transitions.promote(policy, self.role)
        # The target is the candidate throughout: a stage only sets both shares.
        shadowed, share = (stage.percent, 0.0) if stage.kind == "shadow" else (0.0, stage.percent)
        policy = transitions.canary(policy, self.role, self.target, share)
        return transitions.shadow(policy, self.role, self.target, shadowed)


def stages(text: str, shadow_percent: float) -> tuple[Stage, ...]:
    """Read canary percents, "10,50,100", put the shadow before and the promotion after; raises `StackError`."""
    try:
        percents = [float(each) for each in text.split(",")]
    except ValueError:
        percents = []
    if not percents or percents != sorted(set(percents)) or not 0 < percents[0] <= percents[-1] <= 100:
        raise StackError(f"--stages {text}: write rising percents, like 10,50,100")
    shadow = [Stage("shadow", shadow_percent)] if shadow_percent > 0 else []
    return (*shadow, *(Stage("canary", percent) for percent in percents), Stage("promote"))


def in_words(plan: Plan, gates: dict[str, float | None]) -> Iterator[str]:
    """Yield the plan, a line for each step."""
    limits, gated = plan.limits, int(gates.get("min_requests") or 0)
    yield f"{plan.role}: from {plan.source} to {plan.target}"
    yield f"  preflight   both are configured, {plan.target} answers a test, every service is ready, no other trial runs"
    yield f"  parity      of their embeddings, collection {plan.collection}; " + (
        f"if it passes, embeddings move too, after {plan.role}"
        if plan.with_embeddings
        else "only reported, not a condition"
    )
    for stage in plan.stages:
        if stage.kind == "shadow":
            yield (
                f"  {stage.name:<11} for {limits.hold_seconds:g} s and {limits.min_shadow} comparisons at least; then "
                f"failures at most {percent(limits.max_shadow_failures)}, mean similarity at least {limits.min_similarity:g}, "
                f"broken JSON at most {percent(limits.max_broken_json)}, refusals at most {percent(limits.max_more_refusals)} more"
            )
        elif stage.kind == "canary":
            yield f"  {stage.name:<11} for {limits.hold_seconds:g} s and {max(limits.min_requests, gated)} requests at least; the gates are active"
        else:
            yield f"  {stage.name:<11} {plan.target} is stable, {plan.source} is its fallback"
    yield "  gates       " + ", ".join(
        f"{name.replace('_', ' ')} {'–' if limit is None else format(limit, 'g')}" for name, limit in gates.items()
    )
    least = sum(limits.hold_seconds for stage in plan.stages if stage.kind != "promote")
    yield f"  takes       {least:g} s at least, longer with little traffic; a gate that trips puts {plan.source} back"
