"""Tasks on a running stack: add documents, ask a question, show the status; each with progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from switchyard.client import Client, StackError
from switchyard.services import SERVICES

_OPEN = ("queued", "running")
_POLL_SECONDS = 0.3


def add_files(console: Console, client: Client, files: Sequence[Path], collection: str) -> bool:
    """Upload `files`, watch their jobs, and return whether all were ingested."""
    jobs: dict[str, str] = {}
    for path in files:
        try:
            content = path.open("rb")
        except OSError as error:
            raise StackError(f"{path}: {error.strerror}") from error
        with content:
            form = {"files": [("files", (path.name, content))], "data": {"collection": collection}}
            added = client.call("POST", "/rag/v1/documents", **form)["items"][0]
        if not added["new"] and added["document"]["status"] == "ready":
            console.print(f"  [dim]{escape(path.name)} had been added before[/dim]")
        else:
            jobs[added["job_id"]] = path.name
    return watch(console, client, jobs)


def watch(console: Console, client: Client, jobs: dict[str, str]) -> bool:
    """Show a bar per job (id → name) until all have ended; return whether all succeeded."""
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    failed: list[tuple[str, dict[str, Any]]] = []
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {
            job: progress.add_task(escape(name), total=1, state="waiting") for job, name in jobs.items()
        }
        waiting = set(jobs)
        while waiting:
            recent = client.call("GET", "/rag/v1/jobs", params={"limit": 200})["items"]
            states = {state["id"]: state for state in recent}
            for job in sorted(waiting):
                now = states.get(job) or client.call("GET", f"/rag/v1/jobs/{job}")
                progress.update(bars[job], completed=_share(now), state=_state(now))
                if now["status"] not in _OPEN:
                    waiting.discard(job)
                    if now["status"] != "ready":
                        failed.append((jobs[job], now))
            time.sleep(_POLL_SECONDS if waiting else 0)
    for name, ended in failed:
        words = (ended["error"] or {}).get("detail", ended["status"])
        console.print(f"  [red]{escape(name)}[/red]: {escape(words)}")
    return not failed


def _share(job: dict[str, Any]) -> float:
    """Return how much is done: of a document, parsing counts half, embedding the other half; an index has no pages."""
    if job["status"] == "ready":
        return 1.0
    pages = job["pages_done"] / job["pages_total"] if job["pages_total"] else 0.0
    chunks = job["chunks_done"] / job["chunks_total"] if job["chunks_total"] else 0.0
    return chunks if job["document_id"] is None else (pages + chunks) / 2


def _state(job: dict[str, Any]) -> str:
    if job["waiting_for"]:
        return f"waits: {job['waiting_for'][:60]}"
    if job["status"] in ("failed", "cancelled"):
        return str(job["status"])
    if job["status"] == "queued" and job.get("ahead"):
        return f"{job['ahead']} before it"
    chunks = f"{job['chunks_done']}/{job['chunks_total'] or '?'} chunks"
    if job["document_id"] is None:
        return chunks
    return f"{job['pages_done']}/{job['pages_total'] or '?'} pages, {chunks}"


def ask_question(console: Console, client: Client, question: str, collection: str) -> dict[str, Any]:
    """Stream an answer to the console, then its sources; return the `done` event."""
    body = {"question": question, "collection": collection}
    for event, data in client.events("POST", "/rag/v1/query", json=body):
        match event:
            case "token":
                console.print(data["text"], end="", markup=False, highlight=False)
            case "error":
                console.print()
                raise StackError(data["detail"])
            case "done":
                console.print()
                if data.get("replaced"):
                    console.print(data["text"], style="yellow", markup=False, highlight=False)
                _show_sources(console, data)
                return dict(data)
    raise StackError("the answer was cut off")


def _show_sources(console: Console, done: dict[str, Any]) -> None:
    for cited in done["citations"]:
        quote = " ".join(cited["quote"].split())
        excerpt = f"{quote[:100]}…" if len(quote) > 100 else quote
        console.print(
            f"  [cyan]\\[{cited['label']}][/cyan] {escape(cited['title'])}, page {cited['page']}: [dim]“{escape(excerpt)}”[/dim]"
        )
    flags = ["extractive"] * done["extractive"] + [f"degraded: {part}" for part in done["degraded"]]
    seconds = done["seconds"]
    by = f"{done['provider']}, {seconds['retrieval']:.2f} s to search, {seconds['total']:.2f} s in total"
    console.print(f"  [dim]{escape(', '.join([by, *flags]))}[/dim]")


def show_status(console: Console, client: Client) -> None:
    """Print the active provider of each role, and the services' health."""
    table = Table("service", "status", "version", "up")
    providers: dict[str, Any] = {}
    for service in SERVICES:
        health = client.call("GET", f"/{service.path}/health")
        table.add_row(health["service"], health["status"], health["version"], f"{health['uptime_seconds']:.0f} s")
        providers |= {role: known for role, known in health["providers"].items() if role not in providers}
    console.print(table)
    console.print(provider_table(providers))


def provider_table(providers: dict[str, Any]) -> Table:
    """Return a table of the provider of each role."""
    table = Table("role", "backend", "model", "state", "breaker")
    for role, known in sorted(providers.items()):
        kind = " (extractive)" if known["extractive"] else ""
        table.add_row(role, known["backend"] + kind, known["model"], known["state"], known["breaker"])
    return table
