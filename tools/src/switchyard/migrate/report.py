"""The report on a migration: its stages, and the comparison of both backends if one was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from switchyard.compare import report
from switchyard.migrate.display import sides
from switchyard.migrate.migration import PROMOTED
from switchyard.migrate.preflight import parity_in_words
from switchyard.migrate.state import MigrationState
from switchyard.reports import render, write_json, write_text


def write(state: MigrationState, comparison: Mapping[str, Any] | None, out: Path) -> Path:
    """Write the page and its JSON to a folder, named by when the migration began (UTC); return the path of the page."""
    path = out / f"migration-{datetime.fromisoformat(state.began).astimezone(UTC):%Y%m%dT%H%M%SZ}.html"
    write_json(path.with_suffix(".json"), {"version": 1, "migration": asdict(state), "comparison": comparison})
    write_text(path, page(state, comparison))
    return path


def page(state: MigrationState, comparison: Mapping[str, Any] | None) -> str:
    """Return the report as a page."""
    plan = state.plan
    return render(
        "migration.html",
        title=title(state),
        state=state,
        promoted=state.outcome == PROMOTED,
        parity=parity_in_words(state.parity, plan) if state.parity else "",
        stages=[
            (stage, passage, *sides(stage, passage))
            for stage, passage in zip(plan.stages, state.passages, strict=False)
        ],
        comparison=report.context(comparison) if comparison else None,
    )


def title(state: MigrationState) -> str:
    """Return what was migrated, from where to where."""
    return f"{state.plan.role}: from {state.plan.source} to {state.plan.target}"
