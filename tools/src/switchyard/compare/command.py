"""What `switchyard compare` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from switchyard.client import Client
from switchyard.compare.comparison import compare
from switchyard.compare.load import Setting
from switchyard.compare.report import page
from switchyard.compare.verdict import verdict
from switchyard.output import console, say
from switchyard.reports import publish, write_json, write_text
from switchyard.tables import figure


def run(setting: Setting, questions: Path, out: Path) -> bool:
    """Compare, print, write `report.json` and `report.html` to `out`; return whether it was completed."""
    result = compare(setting, questions)
    write_json(out / "report.json", result)
    write_text(out / "report.html", made := page(result))
    show(result)
    say(f"{out / 'report.html'} and report.json")
    with Client(setting.url, setting.key) as client:
        publish(client, "comparison", " and ".join(setting.backends), made)
    return bool(result["complete"])


def show(result: dict[str, Any]) -> None:
    """Print the figures and the verdict."""
    table = Table("users", "backend", "tokens/s", "answers/s", "first token p50 / p95", "answer p50 / p95", "failed")
    for level in result["levels"]:
        first, whole = level["first_token"] or {}, level["seconds"] or {}
        table.add_row(
            str(level["users"]),
            escape(level["backend"]),
            figure(level["tokens_per_second"]),
            figure(level["requests_per_second"]),
            f"{figure(first.get('p50'))} / {figure(first.get('p95'), 's')}",
            f"{figure(whole.get('p50'))} / {figure(whole.get('p95'), 's')}",
            f"{level['failed']} of {level['requests']}",
        )
    console.print(table)
    for warning in result["warnings"]:
        console.print(f"[yellow]note:[/yellow] {escape(warning)}", highlight=False, soft_wrap=True)
    for sentence in verdict(result):
        say(sentence)
