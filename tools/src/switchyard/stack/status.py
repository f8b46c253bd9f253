"""`status`: containers, providers, policy, queues and faults, as plain text or JSON."""

from __future__ import annotations

import json
import time
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from switchyard.stack.containers import Container
from switchyard.stack.faults import faults
from switchyard.stack.state import StackState
from switchyard.stack.text import aligned

_BACKGROUND = "switchyard_jobs"


def as_text(state: StackState, now: float) -> str:
    """Return the tables; `now` is Unix time."""
    parts = (
        [state.process] if state.process else [],
        _containers(state, now),
        _providers(state),
        _policy(state),
        _queues(state),
        _jobs(state),
        _faults(state),
    )
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def as_json(state: StackState) -> str:
    """Return the same as JSON."""
    current = faults(state)
    document = json.dumps(
        {
            "healthy": not current,
            "process": state.process or None,
            "containers": [
                {
                    "service": container.service,
                    "name": container.name,
                    "state": container.state,
                    "health": container.checked or None,
                    "well": container.is_healthy,
                    "started": container.started,
                    "restarts": container.restarts,
                    "exit_code": None if container.running else container.exit_code,
                }
                for container in state.containers
            ],
            "services": state.health,
            "policy": state.policy or None,
            "queues": state.queues,
            "jobs": _job_counts(state),
            "faults": [asdict(fault) for fault in current],
        },
        indent=1,
    )
    return document + "\n"


def _containers(state: StackState, now: float) -> list[str]:
    head = ("container", "state", "health", "since", "restarts")
    return _table(
        head,
        [
            (each.service, _state(each), each.checked or "-", _ago(each, now), str(each.restarts))
            for each in state.containers
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return aligned([head, *rows], "") if rows else []


def _state(container: Container) -> str:
    if container.done:
        return "done"
    return f"exited ({container.exit_code})" if container.state == "exited" else container.state


def _ago(container: Container, now: float) -> str:
    try:
        began = timegm(time.strptime(container.started[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return "-"
    return duration(now - began) if container.running and began > 0 else "-"


def duration(seconds: float) -> str:
    """Return `seconds` in words, in the two largest units."""
    left = max(0, int(seconds))
    words: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def _providers(state: StackState) -> list[str]:
    """Return the provider of each role, from the service that uses the role: vision from the doc-processor."""
    roles: dict[str, Mapping[str, Any]] = {}
    for page in state.health.values():
        for role, provider in page.get("providers", {}).items():
            roles.setdefault(role, provider)
    rows = []
    for role, provider in sorted(roles.items()):
        fallbacks = ", ".join(other["backend"] for other in provider.get("fallbacks", ())) or "-"
        model = provider.get("model", "-") + (" (extractive)" if provider.get("extractive") else "")
        rows.append((role, provider.get("backend", "-"), model, provider.get("state", "-"), fallbacks))
    return _table(("role", "backend", "model", "state", "fallbacks"), rows)


def _policy(state: StackState) -> Iterator[str]:
    if not state.policy:
        return
    changed = state.policy.get("changed", {})
    yield f"policy revision {state.policy.get('revision')}, by {changed.get('by')}: {changed.get('why')}"
    for role, policy in sorted(state.policy.get("roles", {}).items()):
        if policy.get("candidate"):
            canary, shadow = policy.get("canary_percent", 0), policy.get("shadow_percent", 0)
            yield f"  {role}: candidate {policy['candidate']}, canary {canary:g} %, shadow {shadow:g} %"
        if policy.get("halted"):
            yield f"  {role}: halted"


def _queues(state: StackState) -> list[str]:
    rows = []
    for role, queue in state.queues.items():
        counts = [f"{queue[key]:.0f}" if key in queue else "-" for key in ("running", "waiting")]
        rows.append((role, *counts, f"{queue['kv_cache'] * 100:.0f} %" if "kv_cache" in queue else "-"))
    return _table(("vLLM", "running", "waiting", "KV cache"), rows)


def _job_counts(state: StackState) -> dict[str, dict[str, float]]:
    """Per service the gauges that count its jobs, by their labels."""
    counts: dict[str, dict[str, float]] = {}
    for service, samples in state.samples.items():
        for sample in samples:
            if sample.name == _BACKGROUND or sample.name.startswith(_BACKGROUND + "_"):
                label = " ".join([sample.name[len(_BACKGROUND) + 1 :], *sample.labels.values()]).strip() or "jobs"
                counts.setdefault(service, {})[label] = sample.value
    return counts


def _jobs(state: StackState) -> list[str]:
    counts = _job_counts(state)
    rows = [(name, label, f"{value:g}") for name, labels in counts.items() for label, value in labels.items() if value]
    return _table(("jobs", "", ""), rows) or (["no jobs are running"] if counts else [])


def _faults(state: StackState) -> Iterator[str]:
    current = faults(state)
    yield "everything is healthy" if not current else "not healthy:"
    for fault in current:
        yield f"  - {fault.what}"
        yield f"    -> {fault.todo}"
