"""The policy, canaries and shadows as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from switchyard.policy import View
from switchyard.transitions import differences

_WINDOW = (
    ("requests", "requests", ""),
    ("errors", "error_rate", "%"),
    ("p50", "p50_seconds", "s"),
    ("p95", "p95_seconds", "s"),
    ("first token p95", "first_token_p95_seconds", "s"),
    ("unusable", "unusable_rate", "%"),
    ("broken JSON", "invalid_json_rate", "%"),
    ("quality", "quality", ""),
)


def show(console: Console, view: View) -> None:
    """Print all of `view`."""
    console.print(role_table(view))
    for role, canary in sorted((view.get("canary") or {}).items()):
        if canary:
            console.print(canary_table(role, canary))
    for role, shadow in sorted((view.get("shadow") or {}).items()):
        if shadow:
            console.print(shadow_table(role, shadow))
    if view.get("replica") and any([*(view.get("canary") or {}).values(), *(view.get("shadow") or {}).values()]):
        words = f"canary and shadow: figures of the replica that answered, {view['replica']}; each counts its own"
        console.print(words, highlight=False, markup=False, soft_wrap=True)
    console.print(changed_in_words(view), highlight=False, markup=False, soft_wrap=True)


def role_table(view: View) -> Table:
    """Return a table of the stable backend of each role, and of its candidate where any role has one."""
    roles = sorted(view["policy"]["roles"].items())
    on_trial = any(policy.get("candidate") for _, policy in roles)
    table = Table("role", "stable", "model", "state", "breaker", "fallbacks")
    for name in ("candidate", "canary", "shadow") if on_trial else ():
        table.add_column(name)
    for column in table.columns:
        # Names of models are long words, which would be cut.
        column.overflow = "fold"
    for role, policy in roles:
        now = view["roles"].get(role, {})
        state = "[red]halted[/red]" if policy.get("halted") else escape(now.get("state", "–"))
        kind = " (extractive)" if now.get("extractive") else ""
        model = now.get("model", "–") if now.get("backend", policy["stable"]) == policy["stable"] else "–"
        trial = (
            escape(policy.get("candidate") or "–"),
            f"{policy.get('canary_percent', 0):g} %",
            f"{policy.get('shadow_percent', 0):g} %",
        )
        table.add_row(
            role,
            escape(policy["stable"]) + kind,
            escape(model),
            state,
            escape(now.get("breaker", "–")),
            escape(", ".join(policy.get("fallbacks", ()))) or "–",
            *(trial if on_trial else ()),
        )
    return table


def canary_table(role: str, canary: Mapping[str, Any]) -> RenderableType:
    """Return both sides of a canary over the window, and the gates it tripped."""
    table = Table("side", *(name for name, _, _ in _WINDOW), title=f"canary for {role}: {canary['percent']:g} %")
    for side, window in (("stable", canary["stable"]), (str(canary["candidate"]), canary["candidate_window"])):
        table.add_row(escape(side), *(figure((window or {}).get(key), unit) for _, key, unit in _WINDOW))
    return Group(table, *(f"[red]{escape(gate_in_words(gate))}[/red]" for gate in canary.get("tripped") or ()))


def shadow_table(role: str, shadow: Mapping[str, Any]) -> Table:
    """Return a table of the candidate's answers compared with the users'."""
    table = Table("", "", title=f"shadow for {role}: {escape(str(shadow['candidate']))}", show_header=False)
    counts = ", ".join(f"{shadow[key]} {key}" for key in ("sampled", "done", "failed", "dropped", "waiting"))
    table.add_row("requests", counts)
    for words, key, unit in (
        ("mean similarity", "mean_similarity", ""),
        ("mean citation overlap", "mean_citation_overlap", ""),
        ("valid JSON", "json_valid_rate", "%"),
    ):
        table.add_row(words, figure(shadow.get(key), unit))
    for words, key, unit in (
        ("refusals", "refusal_rate", "%"),
        ("p50", "seconds_p50", "s"),
        ("first token p50", "first_token_p50", "s"),
    ):
        both = shadow.get(key) or {}
        table.add_row(
            words, f"stable {figure(both.get('stable'), unit)}, candidate {figure(both.get('candidate'), unit)}"
        )
    return table


def audit_table(items: Iterable[Mapping[str, Any]]) -> Table:
    """Return one row per change, newest first."""
    table = Table("revision", "when", "who", "why", "what")
    for item in items:
        what = "\n".join(differences(item["before"], item["after"])) if item.get("before") else "first policy"
        table.add_row(str(item["revision"]), moment(item["at"]), *map(escape, (item["by"], item["why"], what)))
    return table


def changed_in_words(view: View) -> str:
    """Return who changed the policy last, and why."""
    changed = view["changed"]
    return f"revision {view['revision']}, {moment(changed['at'])}, by {changed['by']}: {changed['why']}"


def gate_in_words(gate: Mapping[str, Any]) -> str:
    """Return which gate tripped, with value and limit."""
    return str(gate.get("words") or f"{gate['gate']}: {gate['value']:g}, at most {gate['limit']:g}")


def moment(iso: str) -> str:
    """Return a time stamp in local time."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def figure(value: float | None, unit: str = "") -> str:
    """Return a figure with its unit; a dash if nothing was measured."""
    if value is None:
        return "–"
    if unit == "%":
        return f"{value * 100:.1f} %"
    number = f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".strip()


def percent(share: float) -> str:
    """Return a share as percent."""
    return f"{share * 100:.3g} %"
