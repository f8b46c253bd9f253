"""On what it was measured, and what was not equal."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from switchyard.compare.load import Level
from switchyard.compare.measure import figures

_MOSTLY = 0.5
_MUST_AGREE = (
    ("model", "another model"),
    ("quantisation", "another quantisation"),
    ("precision", "another precision"),
    ("context_tokens", "another context length"),
)


def here() -> dict[str, Any]:
    """Describe the machine the questions are sent from."""
    memory = None
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        memory = round(int(next(line for line in lines if line.startswith("MemTotal")).split()[1]) / 2**20, 1)
    except (OSError, StopIteration):
        pass
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": memory,
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def inequalities(a: str, b: str, environment: Mapping[str, Any], role: str = "text") -> list[str]:
    """Say, a sentence each, in what the two differ apart from the engine: what may explain the figures instead."""
    said = {name: (environment.get(name) or {}).get(role) or {} for name in (a, b)}
    found = [
        f"{name} does not say what it runs: {what.get('error', 'nothing known')}"
        for name, what in said.items()
        if not what or "error" in what
    ]
    if found:
        return found
    for key, words in _MUST_AGREE:
        left, right = said[a].get(key), said[b].get(key)
        if left != right and (left is not None or right is not None):
            found.append(f"{b} runs {words}: {_shown(right)}, {a} {_shown(left)}")
    return found + _parallel(a, b, said)


def doubts(a: str, b: str, levels: Sequence[Level]) -> list[str]:
    """Say what in the answers themselves makes the comparison doubtful."""
    found = []
    for name in (a, b):
        good = [answer for level in levels if level.backend == name for answer in level.answers if answer.ok]
        if not good:
            found.append(f"{name} answered nothing")
            continue
        if strange := {answer.provider for answer in good} - {name}:
            found.append(f"answers asked of {name} came from {', '.join(sorted(strange))}")
        if any(answer.estimated for answer in good):
            found.append(f"{name} does not count its tokens: they are estimated, and tokens/s with them")
        if any(answer.extractive for answer in good):
            found.append(f"{name} only quotes the documents: its speed is not that of a language model")
        if degraded := sum(bool(answer.degraded) for answer in good):
            found.append(f"{degraded} of {len(good)} answers by {name} were made with a degraded search")
    return found + _searching(levels)


def repeats(questions: int, levels: Sequence[Level]) -> list[str]:
    """Say if questions had to be asked more than once."""
    asked = max(
        (sum(len(level.answers) for level in levels if level.backend == each.backend) for each in levels), default=0
    )
    if asked <= questions:
        return []
    return [
        f"{asked} requests to each, but only {questions} questions: an engine that meets a prompt again has it in its prefix "
        "cache, which flatters the later ones"
    ]


def _searching(levels: Sequence[Level]) -> list[str]:
    """Say from how many users on the stack's search takes most of the time to the first token."""
    for level in sorted(levels, key=lambda level: level.users):
        sums = figures(level)
        if sums.search and sums.first_token and sums.search["p50"] > _MOSTLY * sums.first_token["p50"]:
            return [
                f"with {level.users} at once, {sums.search['p50']:.2f} of the {sums.first_token['p50']:.2f} s to the first "
                f"token of {level.backend} (p50) are the stack's own search: from there on the engines are not what is measured"
            ]
    return []


def _parallel(a: str, b: str, said: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shown = {name: str(said[name]["parallel"]) if said[name].get("parallel") else None for name in (a, b)}
    for name in (a, b):
        if shown[name] is None and _engine(name, said[name]) == "ollama":
            shown[name] = "1 unless OLLAMA_NUM_PARALLEL says otherwise, which it does not tell"
        elif shown[name] is None and _engine(name, said[name]) == "vllm":
            shown[name] = "as many as fit (continuous batching)"
    if shown[a] == shown[b]:
        return []
    return [f"requests at once: {b} {shown[b] or 'unknown'}, {a} {shown[a] or 'unknown'}"]


def _engine(name: str, said: Mapping[str, Any]) -> str:
    return str(said.get("engine") or name).lower()


def _shown(value: Any) -> str:
    return "does not say" if value is None else str(value)
