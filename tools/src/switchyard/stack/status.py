"""`status`: what runs, who serves, what waits, and what is not well; plain text or JSON."""

from __future__ import annotations

import json
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from typing import Any

from switchyard.stack.containers import Container
from switchyard.stack.faults import faults
from switchyard.stack.gathering import Gathered, kv_cache_words
from switchyard.stack.table import aligned

_BACKGROUND = "switchyard_jobs"


def as_text(seen: Gathered, now: float) -> str:
    """Return the tables; `now` is Unix time."""
    parts = (_containers(seen, now), _providers(seen), _policy(seen), _queues(seen), _jobs(seen), _faults(seen))
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def as_json(seen: Gathered) -> str:
    """Return the same for programs."""
    found = faults(seen)
    told = json.dumps(
        {
            "healthy": not found,
            "containers": [
                {
                    "service": one.service,
                    "name": one.name,
                    "state": one.state,
                    "health": (one.health if one.running else "") or None,
                    "well": one.well,
                    "started": one.started,
                    "restarts": one.restarts,
                    "exit_code": None if one.running else one.exit_code,
                }
                for one in seen.containers
            ],
            "services": seen.health,
            "policy": seen.policy or None,
            "queues": seen.queues,
            "jobs": _job_counts(seen),
            "faults": [{"what": fault.what, "todo": fault.todo} for fault in found],
        },
        indent=1,
    )
    return told + "\n"


def _containers(seen: Gathered, now: float) -> Iterator[str]:
    if seen.containers:
        rows = [("container", "state", "health", "since", "restarts")]
        rows += [
            (one.service, _state(one), (one.health if one.running else "") or "-", _ago(one, now), str(one.restarts))
            for one in seen.containers
        ]
        yield from aligned(rows, "")


def _state(one: Container) -> str:
    if one.done:
        return "done"
    return f"exited ({one.exit_code})" if one.state == "exited" else one.state


def _ago(one: Container, now: float) -> str:
    try:
        began = timegm(time.strptime(one.started[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return "-"
    return duration(now - began) if one.running and began > 0 else "-"


def duration(seconds: float) -> str:
    """Say `seconds` in the two largest units."""
    left = max(0, int(seconds))
    words: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def _providers(seen: Gathered) -> Iterator[str]:
    """Who serves each role, as the service sees it that uses it: vision is the doc-processor's."""
    roles: dict[str, Mapping[str, Any]] = {}
    for page in seen.health.values():
        for role, provider in page.get("providers", {}).items():
            roles.setdefault(role, provider)
    if roles:
        rows = [("role", "backend", "model", "state", "stands in")]
        for role, provider in sorted(roles.items()):
            standing_in = ", ".join(other["backend"] for other in provider.get("fallbacks", ())) or "-"
            model = provider.get("model", "-") + (" (extractive)" if provider.get("extractive") else "")
            rows.append((role, provider.get("backend", "-"), model, provider.get("state", "-"), standing_in))
        yield from aligned(rows, "")


def _policy(seen: Gathered) -> Iterator[str]:
    if not seen.policy:
        return
    changed = seen.policy.get("changed", {})
    yield f"policy revision {seen.policy.get('revision')}, by {changed.get('by')}: {changed.get('why')}"
    for role, wanted in sorted(seen.policy.get("roles", {}).items()):
        if wanted.get("candidate"):
            canary, shadow = wanted.get("canary_percent", 0), wanted.get("shadow_percent", 0)
            yield f"  {role}: candidate {wanted['candidate']}, canary {canary:g} %, shadow {shadow:g} %"
        if wanted.get("halted"):
            yield f"  {role}: halted"


def _queues(seen: Gathered) -> Iterator[str]:
    if seen.queues:
        rows = [("vLLM", "running", "waiting", "KV cache")]
        for role, queue in seen.queues.items():
            counts = [f"{queue[key]:.0f}" if key in queue else "-" for key in ("running", "waiting")]
            rows.append((role, counts[0], counts[1], kv_cache_words(queue) or "-"))
        yield from aligned(rows, "")


def _job_counts(seen: Gathered) -> dict[str, dict[str, float]]:
    """Per service the gauges that count its jobs, by their labels."""
    counts: dict[str, dict[str, float]] = {}
    for service, samples in seen.samples.items():
        for sample in samples:
            if sample.name == _BACKGROUND or sample.name.startswith(_BACKGROUND + "_"):
                label = " ".join([sample.name[len(_BACKGROUND) + 1 :], *sample.labels.values()]).strip() or "jobs"
                counts.setdefault(service, {})[label] = sample.value
    return counts


def _jobs(seen: Gathered) -> Iterator[str]:
    counts = _job_counts(seen)
    rows = [(name, label, f"{value:g}") for name, labels in counts.items() for label, value in labels.items() if value]
    if rows:
        yield from aligned([("jobs", "", ""), *rows], "")
    elif counts:
        yield "no jobs under way"


def _faults(seen: Gathered) -> Iterator[str]:
    found = faults(seen)
    yield "everything is healthy" if not found else "not healthy:"
    for fault in found:
        yield f"  - {fault.what}"
        yield f"    -> {fault.todo}"
