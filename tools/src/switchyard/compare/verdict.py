"""A comparison in two sentences, with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchyard.tables import figure

Document = Mapping[str, Any]


def verdict(document: Document) -> list[str]:
    """Return two sentences: which was faster under the highest load that both answered, and failures and agreement."""
    a, b = document["a"], document["b"]
    highest = _highest_load(document)
    if highest is None:
        return [f"There is no load under which both {a} and {b} answered, so they can't be compared."]
    return [_speed(a, b, highest), _worth(document)]


def _highest_load(document: Document) -> dict[str, Any] | None:
    by_users: dict[int, dict[str, Any]] = {}
    for level in document["levels"]:
        if level["seconds"] is not None:
            by_users.setdefault(level["users"], {})[level["backend"]] = level
    both = [users for users, sides in by_users.items() if len(sides) == 2]
    return by_users[max(both)] if both else None


def _speed(a: str, b: str, sides: Mapping[str, Any]) -> str:
    left, right = sides[a], sides[b]
    turn = "but" if _turns(left, right) else "and"
    users = f"{left['users']} users at once" if left["users"] > 1 else "one user"
    return (
        f"With {users}, {b} wrote {figure(right['tokens_per_second'])} tokens/s against {figure(left['tokens_per_second'])} "
        f"of {a} ({_times(right['tokens_per_second'], left['tokens_per_second'])}), {turn} its first token came after "
        f"{_first(right)} against {_first(left)} (p95)."
    )


def _turns(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Return whether the one that wrote faster began later."""
    first = [level["first_token"]["p95"] for level in (left, right) if level["first_token"]]
    faster = right["tokens_per_second"] - left["tokens_per_second"]
    return len(first) == 2 and bool(faster * (first[1] - first[0]) > 0)


def _worth(document: Document) -> str:
    a, b = document["a"], document["b"]
    failed = {
        name: (
            sum(level["failed"] for level in document["levels"] if level["backend"] == name),
            sum(level["requests"] for level in document["levels"] if level["backend"] == name),
        )
        for name in (a, b)
    }
    words = [f"{b} failed {failed[b][0]} of {failed[b][1]} requests, {a} {failed[a][0]} of {failed[a][1]}"]
    agreement, quality = document["agreement"], document["quality"]
    if agreement["likeness"] is not None:
        words.append(f"their answers agree to {agreement['likeness']:.2f} (token F1, {agreement['pairs']} questions)")
    if all(quality[name] and quality[name]["holds_gold"] is not None for name in (a, b)):
        held = [f"{quality[name]['holds_gold'] * 100:.0f} % of {quality[name]['known']}" for name in (b, a)]
        words.append(f"{b} gave the known answer in {held[0]}, {a} in {held[1]}")
    return "; ".join(words) + "."


def _first(level: Mapping[str, Any]) -> str:
    return figure((level["first_token"] or {}).get("p95"), "s")


def _times(one: float, other: float) -> str:
    return f"{one / other:.2f} times" if other else "no rate to compare with"
