"""Embedding spaces: a collection's index by another backend's embeddings, its rollback, and parity of two backends."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from switchyard.client import Client, StackError
from switchyard.tasks import watch
from switchyard.transitions import Policy


def reindex(console: Console, client: Client, collection: str, provider: str | None = None) -> bool:
    """Fill a new index, with the embeddings of `provider` if that is set, and return whether it has replaced the old one.

    Ctrl-C leaves the job running in the stack.
    """
    body = {"collection": collection} | ({"provider": provider} if provider else {})
    (job,) = client.call("POST", "/rag/v1/reindex", json=body)["job_ids"]
    done = watch(console, client, {job: f"{collection}, by {provider}" if provider else collection})
    show_indexes(console, client, collection)
    return done


def rollback(console: Console, client: Client, collection: str) -> bool:
    """Swap back to the previous index, and show how newer documents are added to it."""
    swapped = client.call("POST", "/rag/v1/reindex/rollback", json={"collection": collection})
    console.print(f"[green]✓[/green] {escape(collection)} uses {_name(swapped['indexes'][0])} again")
    done = watch(console, client, dict.fromkeys(swapped["job_ids"], "newer documents"))
    show_indexes(console, client, collection)
    return done


def parity(console: Console, client: Client, a: str, b: str, collection: str | None = None) -> bool:
    """Compare the embeddings of two backends, and return whether one may be the other's fallback."""
    result = client.call("POST", "/rag/v1/providers/parity", json={"a": a, "b": b, "collection": collection})
    table = Table("", "measured", "needed")
    table.add_row("lowest cosine of one text's two embeddings", f"{result['cosine']:.4f}", "0.99")
    table.add_row("mean cosine", f"{result['mean_cosine']:.4f}", "")
    table.add_row("agreement of rankings (Spearman)", f"{result['rank_agreement']:.4f}", "0.9")
    table.add_row("dimensions", " and ".join(map(str, result["dimensions"])), "the same")
    table.add_row("texts compared", str(result["samples"]), "")
    console.print(table)
    if result["passed"]:
        note = "" if result["recorded"] else "; the stack keeps this in memory only"
        console.print(f"[green]passed[/green]: {escape(a)} and {escape(b)} may be fallbacks of each other{note}")
    else:
        console.print(
            f"[yellow]not the same space[/yellow]: {escape(b)} may not be a fallback of {escape(a)}; "
            f"`switchyard reindex --provider {escape(b)}` makes a separate index"
        )
    return bool(result["passed"])


def show_indexes(console: Console, client: Client, collection: str) -> None:
    """Print a collection's indexes."""
    table = Table("index", "backend", "model", "dimension", "chunks")
    for index in client.call("GET", f"/rag/v1/collections/{collection}")["indexes"]:
        chunks = f"{index['chunks_done']}/{index['chunks_total']}"
        table.add_row(index["status"], index["backend"], index["model"], str(index["dimension"]), chunks)
    console.print(table)


def mismatches(client: Client, policy: Policy) -> list[str]:
    """Return a sentence for each collection whose index is not of the backend for embeddings; none if the stack does not answer."""
    if (role := policy["roles"].get("embeddings")) is None:
        return []
    try:
        names = [each["name"] for each in client.call("GET", "/rag/v1/collections")]
        indexes = {name: client.call("GET", f"/rag/v1/collections/{name}")["indexes"] for name in names}
    except StackError:
        return []
    return [
        f"collection {name} uses an index of {index['backend']}, not of {role['stable']}: "
        f"`switchyard reindex --collection {name} --provider {role['stable']}` moves it"
        for name, all_indexes in indexes.items()
        for index in all_indexes
        if index["status"] == "active" and index["backend"] not in (None, role["stable"])
    ]


def _name(index: dict[str, Any]) -> str:
    return escape(f"{index['backend']} ({index['model']}, {index['dimension']} dimensions)")
