"""`switchyard note`: a note of a text or a document."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from switchyard.client import Client, StackError
from switchyard.output import plain

_OPEN = ("queued", "running")
_WAIT_SECONDS = 30


def make_note(console: Console, client: Client, path: Path, kind: str) -> None:
    """Make a note of a file, or of the standard input for `-`, and print it; raises `StackError` if there is none."""
    where = f"/notes/v1/notes?wait={_WAIT_SECONDS}"
    if str(path) == "-":
        note = client.call("POST", where, json={"text": sys.stdin.read(), "kind": kind})
    else:
        try:
            with path.open("rb") as content:
                note = client.call("POST", where, files={"file": (path.name, content)}, data={"kind": kind})
        except OSError as error:
            raise StackError(f"{path}: {error.strerror}") from error
    while note["status"] in _OPEN:
        job = client.call("GET", f"/notes/v1/jobs/{note['job_id']}")
        console.print(f"  [dim]{job['parts_done']}/{job['parts_total'] or '?'} parts read[/dim]")
        time.sleep(2)
        note = client.call("GET", f"/notes/v1/notes/{note['id']}")
    if note["status"] != "ready":
        ended = client.call("GET", f"/notes/v1/jobs/{note['job_id']}")
        raise StackError(f"the note is {note['status']}: {(ended['error'] or {}).get('detail', 'unknown reason')}")
    show_note(console, note)


def show_note(console: Console, note: dict[str, Any]) -> None:
    """Print a note that is ready."""
    content = note["content"]

    def line(words: str) -> None:
        console.print(words, highlight=False, soft_wrap=True)

    line(f"[bold]{_safe(note['title'])}[/bold]\n{_safe(content['summary'])}\n")
    points = (
        ("Key points", content["key_points"]),
        ("Decisions", content["decisions"]),
        ("Action items", content["action_items"]),
    )
    for title, items in points:
        if items:
            line(f"[bold]{title}[/bold]")
        for point in items:
            who = f"[cyan]{_safe(point['owner'])}[/cyan]: " if point.get("owner") else ""
            when = f" [yellow]({_safe(point['due'])})[/yellow]" if point.get("due") else ""
            line(f"  • {who}{_safe(point['text'])}{when}")
    if content["tags"]:
        line(f"[bold]Tags[/bold] {_safe(', '.join(content['tags']))}")
    for words in note["warnings"]:
        line(f"[yellow]{_safe(words)}[/yellow]")
    line(f"[dim]{_safe(note['id'])}[/dim]\n")


def _safe(text: str) -> str:
    return escape(plain(text))
