"""The report on a migration: its stages, and the comparison of both backends where one was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchyard.compare.files import write_json, write_text
from switchyard.compare.page import page
from switchyard.compare.report import sections
from switchyard.markup import Raw, join, table, tag
from switchyard.migrate.display import sides
from switchyard.migrate.preflight import parity_in_words
from switchyard.migrate.running import PROMOTED
from switchyard.migrate.state import State
from switchyard.showing import moment


def write(state: State, comparison: Mapping[str, Any] | None, out: Path) -> Path:
    """Write the page and its JSON to a folder, named by when the migration began (UTC); return the path of the page."""
    plan = state.plan
    title = f"{plan.role}: from {plan.source} to {plan.target}"
    path = out / f"migration-{datetime.fromisoformat(state.began).astimezone(UTC):%Y%m%dT%H%M%SZ}.html"
    write_json(path.with_suffix(".json"), {"version": 1, "migration": asdict(state), "comparison": comparison})
    compared = [tag("h2", "Both backends, the same questions"), sections(comparison)] if comparison else []
    write_text(path, page(title, tag("h1", title), timeline(state), compared))
    return path


def timeline(state: State) -> Raw:
    """Return how it went, stage by stage."""
    plan = state.plan
    how = f"{state.outcome or 'under way'}: {state.why}" if state.why else state.outcome or "under way"
    rows = []
    for stage, passage in zip(plan.stages, state.passages, strict=False):
        errors, times = sides(stage, passage)
        seconds = passage.followed.get("seconds", {})
        rows.append(
            (
                stage.name,
                moment(passage.began).split()[1],
                passage.outcome,
                f"{passage.held:.0f} s" if stage.kind != "promote" else "–",
                str(passage.sample) if stage.kind != "promote" else "–",
                " | ".join(errors) or "–",
                " | ".join(times) or "–",
                f"{max(seconds.values()):.2f} s" if seconds else "–",
            )
        )
    head = ("stage", "began", "outcome", "watched", "sample", "errors", "time", "in effect after")
    both = f"Errors and time: {plan.source} | {plan.target}; time is the p95 of a canary and the p50 of a shadow."
    gates = ((name.replace("_", " "), "–" if limit is None else f"{limit:g}") for name, limit in state.gates.items())
    return join(
        tag("p", f"Begun {moment(state.began)}, {state.url}", class_="dim"),
        tag("div", tag("p", how, class_="good" if state.outcome == PROMOTED else "bad"), class_="verdict"),
        tag("p", parity_in_words(state.parity, plan)) if state.parity else None,
        tag("h2", "Stages"),
        table(head, rows),
        tag("p", both, class_="dim"),
        tag("details", tag("summary", "Gates of the canary"), table(("gate", "limit"), gates)) if state.gates else None,
    )
