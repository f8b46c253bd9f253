"""Moving a collection's vectors from one backend's embeddings to another's, back again, and comparing the two."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from switchyard.client import Client, StackError
from switchyard.transitions import Policy

_OPEN = ("queued", "running")
_POLL_SECONDS = 0.3


def reindex(console: Console, client: Client, collection: str, provider: str | None = None) -> bool:
    """Fill a new index beside the one that answers, by `provider` if given, and return whether it has taken over.

    Ctrl-C leaves the job running in the stack.
    """
    given = {"collection": collection} | ({"provider": provider} if provider else {})
    (job,) = client.call("POST", "/rag/v1/reindex", json=given)["job_ids"]
    done = _watch(console, client, job, f"{collection}, by {provider}" if provider else collection)
    show_indexes(console, client, collection)
    return done


def rollback(console: Console, client: Client, collection: str) -> bool:
    """Let the index before this one answer again, and watch what came since being added to it."""
    swapped = client.call("POST", "/rag/v1/reindex/rollback", json={"collection": collection})
    console.print(f"[green]✓[/green] {escape(collection)} is answered by {_name(swapped['indexes'][0])} again")
    done = all(_watch(console, client, job, "what came since") for job in swapped["job_ids"])
    show_indexes(console, client, collection)
    return done


def parity(console: Console, client: Client, a: str, b: str, collection: str | None = None) -> bool:
    """Compare the embeddings of two backends, and return whether one may stand in for the other."""
    found = client.call("POST", "/rag/v1/providers/parity", json={"a": a, "b": b, "collection": collection})
    table = Table("", "measured", "needed")
    table.add_row("lowest cosine of a text with itself", f"{found['cosine']:.4f}", "0.99")
    table.add_row("mean cosine", f"{found['mean_cosine']:.4f}", "")
    table.add_row("agreement of rankings (Spearman)", f"{found['rank_agreement']:.4f}", "0.9")
    table.add_row("dimensions", " and ".join(map(str, found["dimensions"])), "the same")
    table.add_row("texts compared", str(found["samples"]), "")
    console.print(table)
    if found["passed"]:
        kept = "" if found["recorded"] else "; the stack keeps this in memory only"
        console.print(f"[green]passed[/green]: {escape(a)} and {escape(b)} may stand in for each other{kept}")
    else:
        console.print(
            f"[yellow]not the same space[/yellow]: {escape(b)} may not stand in for {escape(a)}; "
            f"`switchyard reindex --provider {escape(b)}` makes an index of its own"
        )
    return bool(found["passed"])


def show_indexes(console: Console, client: Client, collection: str) -> None:
    """Print a collection's indexes."""
    table = Table("index", "backend", "model", "dimension", "chunks")
    for index in client.call("GET", f"/rag/v1/collections/{collection}")["indexes"]:
        chunks = f"{index['chunks_done']}/{index['chunks_total']}"
        table.add_row(index["status"], index["backend"], index["model"], str(index["dimension"]), chunks)
    console.print(table)


def elsewhere(client: Client, policy: Policy) -> list[str]:
    """Say which collections are answered by another backend than the one for embeddings; nothing if that can't be asked."""
    if (role := policy["roles"].get("embeddings")) is None:
        return []
    try:
        names = [each["name"] for each in client.call("GET", "/rag/v1/collections")]
        indexes = {name: client.call("GET", f"/rag/v1/collections/{name}")["indexes"] for name in names}
    except StackError:
        return []
    return [
        f"collection {name} is answered by the index of {index['backend']}, not of {role['stable']}: "
        f"`switchyard reindex --collection {name} --provider {role['stable']}` moves it"
        for name, found in indexes.items()
        for index in found
        if index["status"] == "active" and index["backend"] not in (None, role["stable"])
    ]


def _watch(console: Console, client: Client, job: str, name: str) -> bool:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("chunks {task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(escape(name), total=None, state="")
        while True:
            now: dict[str, Any] = client.call("GET", f"/rag/v1/jobs/{job}")
            state = escape(f"waits: {now['waiting_for']}") if now["waiting_for"] else ""
            progress.update(bar, completed=now["chunks_done"], total=now["chunks_total"], state=state)
            if now["status"] not in _OPEN:
                break
            time.sleep(_POLL_SECONDS)
    if now["status"] != "ready":
        console.print(f"  [red]{escape((now['error'] or {}).get('detail', now['status']))}[/red]")
    return bool(now["status"] == "ready")


def _name(index: dict[str, Any]) -> str:
    return escape(f"{index['backend']} ({index['model']}, {index['dimension']} dimensions)")
