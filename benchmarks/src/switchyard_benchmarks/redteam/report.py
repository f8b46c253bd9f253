"""What came of the attacks, as a table and as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from switchyard_benchmarks.redteam.run import Attempt

_SHOWN = 160


def through(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.outcome == "through"]


def show(console: Console, attempts: Sequence[Attempt]) -> None:
    """Print a row for each family, and the attempts that got through."""
    table = Table("family", "attempts", "stopped", "withdrawn", "through")
    for family in dict.fromkeys(attempt.attack.family for attempt in attempts):
        table.add_row(family, *_row([each for each in attempts if each.attack.family == family]))
    table.add_section()
    table.add_row("all", *_row(attempts))
    console.print(table)
    for attempt in through(attempts):
        how = "as a stream" if attempt.stream else "at once"
        said = " ".join((attempt.said.text or attempt.said.streamed).split())
        console.print(f"[red]{attempt.attack.id}[/red], {how}: {escape(said[:_SHOWN])}")


def show_blocked(console: Console, questions: Sequence[str], blocked: Sequence[str]) -> None:
    """Print how many ordinary questions met the output guard, and which."""
    console.print(f"{len(blocked)} of {len(questions)} answers were withheld or changed")
    for question in blocked:
        console.print(f"  {escape(question)}")


def write(path: Path | None, attempts: Sequence[Attempt]) -> None:
    if path is None:
        return
    rows = [
        {
            "id": attempt.attack.id,
            "family": attempt.attack.family,
            "goal": attempt.attack.goal,
            "stream": attempt.stream,
            "outcome": attempt.outcome,
            "text": attempt.said.text,
        }
        for attempt in attempts
    ]
    path.write_text(json.dumps({"attempts": rows}, ensure_ascii=False, indent=1), encoding="utf-8")


def _row(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    outcomes = [attempt.outcome for attempt in attempts]
    return str(len(outcomes)), *(str(outcomes.count(each)) for each in ("stopped", "withdrawn", "through"))
