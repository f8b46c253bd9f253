"""The progress of jobs, and the status of a running stack."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from switchyard.client import Client
from switchyard.output import plain
from switchyard.services import SERVICES

_OPEN = ("queued", "running")
_POLL_SECONDS = 0.3
_LINE_SECONDS = 10
_MOST_BARS = 20


def watch(console: Console, client: Client, jobs: dict[str, str]) -> bool:
    """Show the progress of jobs (id → name) until all have ended, then warnings and failures; return whether all succeeded."""
    failed: list[tuple[str, dict[str, Any]]] = []
    warned: list[tuple[str, str]] = []
    shown = _Bars(console, jobs) if console.is_terminal else _Lines(console, jobs)
    with shown:
        waiting = set(jobs)
        while waiting:
            recent = client.call("GET", "/rag/v1/jobs", params={"limit": 200})["items"]
            states = {state["id"]: state for state in recent}
            for job in sorted(waiting):
                now = states.get(job) or client.call("GET", f"/rag/v1/jobs/{job}")
                if now["status"] not in _OPEN:
                    waiting.discard(job)
                    if now["status"] != "ready":
                        failed.append((jobs[job], now))
                    elif now["document_id"] is not None:
                        document = client.call("GET", f"/rag/v1/documents/{now['document_id']}")
                        warned += [(jobs[job], words) for words in document["warnings"]]
                shown.update(job, now)
            time.sleep(_POLL_SECONDS if waiting else 0)
    for name, words in warned:
        console.print(f"  [yellow]{escape(plain(name))}[/yellow]: {escape(plain(words))}", soft_wrap=True)
    for name, ended in failed:
        words = (ended["error"] or {}).get("detail", ended["status"])
        console.print(f"  [red]{escape(plain(name))}[/red]: {escape(plain(words))}", soft_wrap=True)
    return not failed


class _Bars:
    """A bar per job on a terminal; one for all where they are many."""

    def __init__(self, console: Console, jobs: dict[str, str]) -> None:
        columns = (
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console)
        self._shares = dict.fromkeys(jobs, 0.0)
        self._ended: set[str] = set()
        many = len(jobs) > _MOST_BARS
        self._whole = self._progress.add_task(f"{len(jobs)} files", total=len(jobs), state="") if many else None
        self._bars = (
            {}
            if many
            else {
                job: self._progress.add_task(escape(plain(name)), total=1, state="waiting")
                for job, name in jobs.items()
            }
        )

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, job: str, now: dict[str, Any]) -> None:
        if self._whole is None:
            self._progress.update(self._bars[job], completed=_share(now), state=_state(now))
            return
        if now["status"] not in _OPEN:
            self._ended.add(job)
        self._shares[job] = 1.0 if job in self._ended else _share(now)
        done = f"{len(self._ended)} done"
        self._progress.update(self._whole, completed=sum(self._shares.values()), state=done)


class _Lines:
    """For a pipe or a log: a line for each job that ends, and one now and then in between."""

    def __init__(self, console: Console, jobs: dict[str, str]) -> None:
        self._console, self._jobs = console, jobs
        self._ended: set[str] = set()
        self._last = time.monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, job: str, now: dict[str, Any]) -> None:
        ended = now["status"] not in _OPEN
        if not ended and time.monotonic() - self._last < _LINE_SECONDS:
            return
        self._last = time.monotonic()
        if ended:
            self._ended.add(job)
        state = "failed" if now["status"] == "failed" else _state(now)
        words = f"  {plain(self._jobs[job])}: {state} ({len(self._ended)} of {len(self._jobs)} done)"
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)


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
