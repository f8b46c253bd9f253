"""Whether a stage passes, fails or continues: pure functions of the server's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from switchyard.migrate.plan import Stage, StageLimits
from switchyard.policy import View
from switchyard.tables import gate_in_words, percent
from switchyard.transitions import RolePolicy


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """`passed` is None while the stage continues; `words` say why, or what it waits for."""

    passed: bool | None
    words: str
    sample: int = 0


def judge(
    stage: Stage, limits: StageLimits, held: float, seen: Mapping[str, Any], base: Mapping[str, int]
) -> StageVerdict:
    """Judge a shadow or a canary by the server's figures; `base` counts are from before it began."""
    if stage.kind == "shadow":
        return _shadow(limits, held, seen, base)
    return _canary(limits, held, seen)


def with_gates(limits: StageLimits, gates: Mapping[str, Any]) -> StageLimits:
    """Return limits under which no canary passes before the server's gates apply."""
    return replace(limits, min_requests=max(limits.min_requests, int(gates.get("min_requests") or 0)))


def figures(stage: Stage, view: View, role: str) -> dict[str, Any]:
    """Return the server's figures for a stage; empty if it has none yet."""
    return ((view.get("shadow" if stage.kind == "shadow" else "canary") or {}).get(role)) or {}


def counts(shadow: Mapping[str, Any]) -> dict[str, int]:
    """Return how many requests the candidate has answered and failed in its shadow."""
    return {key: int(shadow.get(key) or 0) for key in ("done", "failed")}


def since(shadow: Mapping[str, Any], base: Mapping[str, int]) -> dict[str, int]:
    """Return the counts without those of `base`; a restarted server counts from 0."""
    now = counts(shadow)
    own = {key: count - base.get(key, 0) for key, count in now.items()}
    return own if min(own.values()) >= 0 else now


def rolled_back(view: View, left: RolePolicy, role: str) -> str | None:
    """Return why the trial of the candidate was ended, usually by a gate, if that is all that changed."""
    now = view["policy"]["roles"].get(role, {})
    stopped = {**left, "canary_percent": 0, "shadow_percent": 0}
    # A gate leaves the candidate's name, `switchyard providers rollback` does not.
    if same(now, left) or not (same(now, stopped) or same(now, {**stopped, "candidate": None})):
        return None
    changed = view["changed"]
    tripped = ((view.get("canary") or {}).get(role) or {}).get("tripped") or ()
    more = [words for words in map(gate_in_words, tripped) if words not in changed["why"]]
    return "; ".join([f"{changed['why']} (by {changed['by']})", *more])


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Compare two policies of a role; 10 and 10.0 are the same share, and so are a list and a tuple."""
    keys = set(one) | set(other)
    return all(_plain(one.get(key)) == _plain(other.get(key)) for key in keys)


def _shadow(limits: StageLimits, held: float, seen: Mapping[str, Any], base: Mapping[str, int]) -> StageVerdict:
    own = since(seen, base)
    sample = own["done"] + own["failed"]
    if sample < limits.min_shadow:
        return StageVerdict(None, f"waiting for traffic: {sample} of {limits.min_shadow} comparisons", sample)
    failed = own["failed"] / sample
    refusals = seen.get("refusal_rate") or {}
    more = (refusals.get("candidate") or 0) - (refusals.get("stable") or 0)
    similarity, valid = seen.get("mean_similarity"), seen.get("json_valid_rate")
    excesses = (
        ("failed", failed, limits.max_shadow_failures),
        ("broken JSON", 0 if valid is None else 1 - valid, limits.max_broken_json),
        ("more refusals", more, limits.max_more_refusals),
    )
    faults = [f"{percent(share)} {name}, at most {percent(most)}" for name, share, most in excesses if share > most]
    if similarity is not None and similarity < limits.min_similarity:
        faults.append(f"mean similarity {similarity:.2f}, at least {limits.min_similarity:g}")
    if faults:
        return StageVerdict(False, "shadow: " + "; ".join(faults), sample)
    return _held(limits, held, sample)


def _canary(limits: StageLimits, held: float, seen: Mapping[str, Any]) -> StageVerdict:
    sample = int((seen.get("candidate_window") or {}).get("requests") or 0)
    if tripped := seen.get("tripped"):
        # The server ends the canary itself; the next read shows that.
        return StageVerdict(None, "; ".join(map(gate_in_words, tripped)), sample)
    if sample < limits.min_requests:
        return StageVerdict(None, f"waiting for traffic: {sample} of {limits.min_requests} requests", sample)
    return _held(limits, held, sample)


def _held(limits: StageLimits, held: float, sample: int) -> StageVerdict:
    if held < limits.hold_seconds:
        return StageVerdict(None, f"{limits.hold_seconds - held:.0f} s to go", sample)
    return StageVerdict(True, f"held for {held:.0f} s with {sample} requests", sample)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    return value or None if isinstance(value, int | float) else value
