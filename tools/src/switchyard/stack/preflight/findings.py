"""What checks find, and its layout as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from switchyard.stack.text import aligned

OK, WARNING, FAULT = "ok", "warning", "FAULT"
Result = tuple[str, str, str]
"""Level, message, and what to do about it."""


@dataclass(frozen=True)
class Finding:
    """`subject` is one word; `todo` says what to change, and is empty where nothing needs to be changed."""

    level: str
    subject: str
    message: str
    todo: str = ""


def ok(message: str) -> Result:
    return OK, message, ""


def warning(message: str, todo: str) -> Result:
    return WARNING, message, todo


def fault(message: str, todo: str) -> Result:
    return FAULT, message, todo


def as_text(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, and under it what to do."""
    lines = aligned([(finding.level, finding.subject, finding.message) for finding in findings], "")
    return "".join(
        f"{line}\n" + (f"         -> {finding.todo}\n" if finding.todo else "")
        for line, finding in zip(lines, findings)
    )
