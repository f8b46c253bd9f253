"""A migration on the screen: a live table, or lines without a terminal."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from switchyard.migrate.plan import Stage
from switchyard.migrate.state import MigrationState, StageRun
from switchyard.migrate.verdicts import StageVerdict, since
from switchyard.output import console, say
from switchyard.policy import View
from switchyard.tables import figure

_DIGITS = re.compile(r"\d+")


class Screen:
    """Shows each stage with its time, sample and figures; `with screen:` around it."""

    def __init__(self) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._last = ""

    def __enter__(self) -> Screen:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    @property
    def _inner(self) -> AbstractContextManager[Any]:
        return self._live or nullcontext()

    def show(self, state: MigrationState, view: View, judged: StageVerdict) -> None:
        """Update the table; without a terminal, print what has changed."""
        if self._live is not None:
            self._live.update(stage_table(state, judged.words))
            return
        kind = f"{state.now.name}: {_DIGITS.sub('', judged.words)}"
        if kind != self._last:
            self._last = kind
            say(f"{state.now.name}: {judged.words}")


def stage_table(state: MigrationState, words: str) -> Table:
    """Return every stage of a migration: passed, running and to come."""
    plan = state.plan
    table = Table("stage", "", "held", "sample", f"errors {escape(plan.source)} | {escape(plan.target)}", "p95 or p50")
    for number, stage in enumerate(plan.stages):
        passage = state.passages[number] if number < len(state.passages) else None
        if passage is None:
            table.add_row(f"[dim]{stage.name}[/dim]", "[dim]to come[/dim]", "", "", "", "")
            continue
        note = words if passage.outcome == "running" else passage.outcome
        colour = {"passed": "green", "running": "yellow"}.get(passage.outcome, "red")
        errors, times = sides(stage, passage)
        table.add_row(
            stage.name,
            f"[{colour}]{escape(note)}[/{colour}]",
            f"{passage.held:.0f} s" if stage.kind != "promote" else "",
            str(passage.sample) if stage.kind != "promote" else "",
            " | ".join(errors),
            " | ".join(times),
        )
    return table


def sides(stage: Stage, passage: StageRun) -> tuple[list[str], list[str]]:
    """Return error rates and times of both sides, stable first: p95 of a canary, p50 of a shadow."""
    seen = passage.seen
    if stage.kind == "canary":
        windows = [seen.get("stable") or {}, seen.get("candidate_window") or {}]
        return (
            [figure(window.get("error_rate"), "%") for window in windows],
            [figure(window.get("p95_seconds"), "s") for window in windows],
        )
    if stage.kind == "shadow":
        done, failed = since(seen, passage.base).values()
        times = seen.get("seconds_p50") or {}
        return (
            ["–", figure(failed / (done + failed) if done + failed else None, "%")],
            [figure(times.get(side), "s") for side in ("stable", "candidate")],
        )
    return [], []
