"""Steps from one policy document to the next: pure functions on what `GET /v1/providers` shows as `policy`.

Each returns a new document and raises `StackError` if the step is not possible. Unknown members are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from switchyard.client import StackError

Policy: TypeAlias = dict[str, Any]
"""{"roles": {role: {stable, fallbacks, candidate, canary_percent, …}}, "gates": {…}}"""
RolePolicy: TypeAlias = dict[str, Any]
Transition: TypeAlias = Callable[[Policy], Policy]

CHAT = ("text", "vision")
_NO_TRIAL: RolePolicy = {"candidate": None, "canary_percent": 0, "shadow_percent": 0}


def use(policy: Policy, role: str, backend: str) -> Policy:
    """Make `backend` the stable one; the one it replaces becomes its fallback."""
    return _with(policy, role, _stable(role_of(policy, role), backend))


def canary(policy: Policy, role: str, backend: str, percent: float) -> Policy:
    """Give `backend` `percent` of the conversations."""
    return _with(policy, role, {**_candidate(role_of(policy, role), role, backend), "canary_percent": percent})


def shadow(policy: Policy, role: str, backend: str, percent: float) -> Policy:
    """Send `percent` of the requests to `backend` as well, after the user's answer."""
    return _with(policy, role, {**_candidate(role_of(policy, role), role, backend), "shadow_percent": percent})


def promote(policy: Policy, role: str) -> Policy:
    """Make the candidate the stable backend."""
    candidate = role_of(policy, role).get("candidate")
    if not candidate:
        raise StackError(
            f"{role} has no candidate to promote: `switchyard providers canary BACKEND --percent 10` names one"
        )
    return use(policy, role, candidate)


def rollback(policy: Policy, role: str) -> Policy:
    """End the trial of a candidate, running or stopped; where there is none, go back to the previous stable backend."""
    now = role_of(policy, role)
    if now.get("candidate"):
        return _with(policy, role, {**now, **_NO_TRIAL})
    return revert(policy, role)


def revert(policy: Policy, role: str) -> Policy:
    """Go back to the previous stable backend, also during a trial; then there is no previous one."""
    now = role_of(policy, role)
    previous = now.get("previous")
    if not previous or previous == now["stable"]:
        raise StackError(f"{role} stays on {now['stable']}: there is no candidate and no previous backend")
    return _with(policy, role, {**_stable(now, previous), "previous": None})


def chain(policy: Policy, role: str, fallbacks: Sequence[str] | None = None, on_break: str | None = None) -> Policy:
    """Set the fallbacks, in this order, and what happens to a stream that breaks; None leaves either unchanged."""
    now = role_of(policy, role)
    after = {**now}
    if fallbacks is not None:
        if now["stable"] in fallbacks:
            raise StackError(f"{now['stable']} serves {role} already: a fallback is another backend")
        if len(set(fallbacks)) < len(fallbacks):
            raise StackError(f"a fallback is named twice: {', '.join(fallbacks)}")
        after["fallbacks"] = list(fallbacks)
    if on_break is not None:
        after["on_break"] = on_break
    return _with(policy, role, after)


def halt(policy: Policy) -> Policy:
    """Stop generations: new ones are refused, running ones end."""
    return _halted(policy, True)


def resume(policy: Policy) -> Policy:
    """Undo `halt`."""
    return _halted(policy, False)


def _halted(policy: Policy, halted: bool) -> Policy:
    chat = {name: {**role, "halted": halted} for name, role in policy["roles"].items() if name in CHAT}
    return {**policy, "roles": {**policy["roles"], **chat}}


def gates(policy: Policy, changes: Mapping[str, float]) -> Policy:
    """Set gates by name."""
    known = policy.get("gates", {})
    if unknown := sorted(set(changes) - set(known)):
        raise StackError(f"no gate is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return {**policy, "gates": {**known, **changes}}


def role_of(policy: Policy, role: str) -> RolePolicy:
    """Return one role's part; raises `StackError` for a role that nothing serves here."""
    roles: dict[str, RolePolicy] = policy["roles"]
    if role not in roles:
        raise StackError(f"nothing serves the role {role} here; there are {', '.join(sorted(roles))}")
    return roles[role]


def default_candidate(
    policy: Policy, role: str, backends: Mapping[str, Iterable[str]], extractive: Collection[str] = ()
) -> str:
    """Return the backend of a canary or a shadow that names none: the candidate, or the only other one.

    One that is `extractive` only quotes: it counts where it is named, or where there is no other.
    """
    now = role_of(policy, role)
    if now.get("candidate"):
        return str(now["candidate"])
    others = sorted(name for name, roles in backends.items() if role in roles and name != now["stable"])
    defaults = [name for name in others if name not in extractive] or others
    if len(defaults) == 1:
        return defaults[0]
    words = f"which of {', '.join(defaults)}?" if others else f"no backend but {now['stable']} can serve {role}"
    raise StackError(f"name the backend: {words}")


def _stable(now: RolePolicy, backend: str) -> RolePolicy:
    old = now["stable"]
    if old == backend:
        return now
    others = [name for name in now.get("fallbacks", ()) if name not in (backend, old)]
    after = {**now, "stable": backend, "previous": old, "fallbacks": [old, *others]}
    if now.get("candidate") == backend:
        after |= _NO_TRIAL
    return after


def _candidate(now: RolePolicy, role: str, backend: str) -> RolePolicy:
    if backend == now["stable"]:
        raise StackError(f"{backend} serves {role} already: a candidate is another backend")
    other = now.get("candidate")
    if other and other != backend and (now.get("canary_percent") or now.get("shadow_percent")):
        raise StackError(
            f"{other} is the candidate for {role} and is being tried; `switchyard providers rollback` ends that"
        )
    return {**now, "candidate": backend}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each member that changed between two policies."""
    for role, new in after["roles"].items():
        old = before["roles"].get(role, {})
        for name in new:
            if new[name] != old.get(name):
                yield f"{role} {name.replace('_', ' ')}: {_value(old.get(name))} → {_value(new[name])}"
    for name, limit in after.get("gates", {}).items():
        if limit != before.get("gates", {}).get(name):
            yield f"gate {name}: {_value(before.get('gates', {}).get(name))} → {_value(limit)}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _with(policy: Policy, role: str, after: RolePolicy) -> Policy:
    return {**policy, "roles": {**policy["roles"], role: after}}
