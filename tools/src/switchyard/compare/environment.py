"""The environment of a comparison, and what was not equal in it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from switchyard.compare.figures import figures
from switchyard.compare.load import Level

_MOSTLY = 0.5
_MUST_AGREE = (
    ("model", "another model"),
    ("quantisation", "another quantisation"),
    ("precision", "another precision"),
    ("context_tokens", "another context length"),
)
_USUAL_PARALLELISM = {
    "ollama": "1 unless OLLAMA_NUM_PARALLEL is set, which Ollama does not report",
    "vllm": "as many as fit (continuous batching)",
}
"""Requests at once by software, as `engine` in the environment names it; servers do not report it."""


def here() -> dict[str, Any]:
    """Describe the machine the questions are sent from."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def inequalities(a: str, b: str, environment: Mapping[str, Any], role: str = "text") -> list[str]:
    """Return a sentence for each difference besides the engine, which may explain the figures instead."""
    described = {name: (environment.get(name) or {}).get(role) or {} for name in (a, b)}
    unknown = [
        f"{name} does not report what it runs: {what.get('error', 'nothing known')}"
        for name, what in described.items()
        if not what or "error" in what
    ]
    if unknown:
        return unknown
    differences = []
    for key, words in _MUST_AGREE:
        left, right = described[a].get(key), described[b].get(key)
        if left != right and (left is not None or right is not None):
            differences.append(f"{b} runs {words}: {_text(right)}, {a} {_text(left)}")
    left, right = (_requests_at_once(described[name]) for name in (a, b))
    return differences + ([f"requests at once: {b} {right}, {a} {left}"] if left != right else [])


def doubts(a: str, b: str, levels: Sequence[Level]) -> list[str]:
    """Return a sentence for each property of the answers that makes the comparison doubtful."""
    doubtful = []
    for name in (a, b):
        answers = [answer for level in levels if level.backend == name for answer in level.answers if answer.ok]
        if not answers:
            doubtful.append(f"{name} answered nothing")
            continue
        if strange := {answer.provider for answer in answers} - {name}:
            doubtful.append(f"answers asked of {name} came from {', '.join(sorted(strange))}")
        if any(answer.estimated for answer in answers):
            doubtful.append(f"{name} does not count its tokens: they are estimated, and tokens/s with them")
        if any(answer.extractive for answer in answers):
            doubtful.append(f"{name} only quotes documents: its speed is not that of a language model")
        if degraded := sum(bool(answer.degraded) for answer in answers):
            doubtful.append(f"{degraded} of {len(answers)} answers by {name} were made with a degraded search")
    return doubtful + _search(levels)


def repeats(questions: int, levels: Sequence[Level]) -> list[str]:
    """Return a warning if questions were asked more than once."""
    requests = max(
        (sum(len(level.answers) for level in levels if level.backend == each.backend) for each in levels), default=0
    )
    if requests <= questions:
        return []
    return [
        f"{requests} requests to each, but only {questions} questions: a repeated prompt is in the engine's prefix cache, "
        "which makes the later answers faster"
    ]


def _search(levels: Sequence[Level]) -> list[str]:
    """Return a warning from how many users on the search takes most of the time to the first token."""
    for level in sorted(levels, key=lambda level: level.users):
        search, first_token = (figures(level)[key] for key in ("search", "first_token"))
        if search and first_token and search["p50"] > _MOSTLY * first_token["p50"]:
            return [
                f"with {level.users} at once, {search['p50']:.2f} of the {first_token['p50']:.2f} s to the first "
                f"token of {level.backend} (p50) are the search: from there on the engines are not what is measured"
            ]
    return []


def _requests_at_once(description: Mapping[str, Any]) -> str:
    """Return what an engine says of its parallelism, else what is known of its software."""
    if reported := description.get("parallel"):
        return str(reported)
    return _USUAL_PARALLELISM.get(description.get("engine", ""), "unknown")


def _text(value: Any) -> str:
    return "unknown" if value is None else str(value)
