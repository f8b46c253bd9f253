"""`switchyard compare` and `switchyard migrate`, as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchyard.client import Client, saved_key
from switchyard.options import DATA, URL, ChatRole, DataDir, Url, repeated

_ONCE = ("yes", "dry_run", "rollback", "fresh")
_WHERE = ("source", "target", "role", "state", "url", "data_dir")


def compare(
    a: Annotated[str, typer.Option("--a", help="One backend")],
    b: Annotated[str, typer.Option("--b", help="The other")],
    questions: Annotated[
        Path, typer.Option(help="JSON lines with `question` and optionally `answers`; or plain lines")
    ],
    users: Annotated[str, typer.Option(help="Numbers of users at once")] = "1,5,10,50,100",
    per_level: Annotated[int, typer.Option(min=0, help="Questions per level; 0: twice the users, at least 20")] = 0,
    max_tokens: Annotated[int | None, typer.Option(min=16, help="Longest answer")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds one answer may take")] = 300,
    collection: str = "default",
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json")] = Path("data/reports"),
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Ask two backends the same questions, under increasing load, and write a report; Ctrl-C keeps the results so far."""
    from switchyard.compare.command import run
    from switchyard.compare.load import Setting, levels

    setting = Setting(url, saved_key(data_dir), (a, b), levels(users), per_level, max_tokens, collection, timeout)
    if not run(setting, questions, out):
        raise typer.Exit(130)


def migrate(
    context: typer.Context,
    source: Annotated[str, typer.Option("--from", help="The backend that serves now")],
    target: Annotated[str, typer.Option("--to", help="The backend that is to serve")],
    role: ChatRole = "text",
    stages: Annotated[str, typer.Option(help="Percents of the canary")] = "10,50,100",
    hold: Annotated[float, typer.Option(min=0, help="Seconds each stage lasts at least")] = 120,
    min_requests: Annotated[int, typer.Option(min=1, help="Requests to the candidate before a stage ends")] = 20,
    shadow_percent: Annotated[float, typer.Option(min=0, max=100, help="0: no shadow")] = 20,
    min_shadow: Annotated[int, typer.Option(min=1, help="Comparisons before the shadow ends")] = 20,
    min_similarity: Annotated[
        float, typer.Option(min=-1, max=1, help="Mean cosine of the answers in the shadow")
    ] = 0.5,
    with_embeddings: Annotated[bool, typer.Option("--with-embeddings", help="Move them too if parity passes")] = False,
    questions: Annotated[Path | None, typer.Option(help="Compare both at the end by these questions")] = None,
    users: Annotated[str, typer.Option(help="Numbers of users at once in that comparison")] = "1,5,10",
    collection: str = "default",
    state: Annotated[Path, typer.Option(help="File with the progress")] = Path("data/migrate.json"),
    out: Annotated[Path, typer.Option(help="Folder for migration-TIME.html and .json")] = Path("data/reports"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and check it; change nothing")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Roll it back")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an unfinished migration")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Go from one backend to another while everything runs: parity, shadow, canary by stages, promotion, report."""
    from switchyard.compare.load import levels
    from switchyard.migrate.command import Options, run, take_back
    from switchyard.migrate.plan import Plan, StageLimits
    from switchyard.migrate.plan import stages as read_stages

    key = saved_key(data_dir)
    limits = StageLimits(hold, min_requests, min_shadow, min_similarity)
    plan = Plan(source, target, role, read_stages(stages, shadow_percent), limits, with_embeddings, collection)
    again = repeated(context, lambda name: name not in _ONCE)
    back = f"{repeated(context, lambda name: name in _WHERE)} --rollback"
    options = Options(state, out, questions, levels(users), again, back, yes, dry_run, fresh)
    with Client(url, key) as client:
        if rollback:
            take_back(client, state)
        elif status := run(client, key, plan, options):
            raise typer.Exit(status)
