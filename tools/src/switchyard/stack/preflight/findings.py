"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from switchyard.stack.table import aligned

OK, WARNING, FAULT = "ok", "warning", "FAULT"


@dataclass(frozen=True)
class Finding:
    """`subject` is one word; `todo` says what to change, and is empty where nothing needs to be."""

    level: str
    subject: str
    words: str
    todo: str = ""


def ok(subject: str, words: str) -> Finding:
    return Finding(OK, subject, words)


def warning(subject: str, words: str, todo: str) -> Finding:
    return Finding(WARNING, subject, words, todo)


def fault(subject: str, words: str, todo: str) -> Finding:
    return Finding(FAULT, subject, words, todo)


def as_text(findings: Sequence[Finding]) -> str:
    """A line per finding, and under it what to do."""
    lines = aligned([(found.level, found.subject, found.words) for found in findings], "")
    return "".join(
        f"{line}\n" + (f"         -> {found.todo}\n" if found.todo else "") for line, found in _paired(lines, findings)
    )


def _paired(lines: Sequence[str], findings: Sequence[Finding]) -> list[tuple[str, Finding]]:
    return [(line, findings[place]) for place, line in enumerate(lines)]
