"""`switchyard demo`: the main tasks on the example documents."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from switchyard.client import Client, StackError
from switchyard.server import background, own_key
from switchyard.services import SERVICES
from switchyard.tasks import add_files, ask_question, provider_table

_SUFFIXES = {".md", ".txt", ".html", ".docx", ".pdf", ".png"}
_LEFT_OUT = {"README.md"}
_TRANSCRIPT = "meeting-2026-10-14.txt"
QUESTIONS = (
    "How much gas did the thermal screen save?",
    "When must the shaft seal of pump 2 be replaced?",
    "What is the alarm temperature of the North House?",
)


def run(console: Console, data_dir: Path, port: int, examples: Path) -> None:
    """Run the demo; on a terminal the stack stays up until Ctrl-C, otherwise it stops at the end."""
    began = time.monotonic()
    files = sorted(p for p in examples.glob("*") if p.suffix in _SUFFIXES and p.name not in _LEFT_OUT)
    if not files:
        raise StackError(f"no example documents in {examples}: run this from the repository's top folder")
    console.rule("Switchyard")
    console.print("Starting the services, one process, no model server…")
    url = f"http://127.0.0.1:{port}"
    with background(data_dir, port), Client(url, own_key(data_dir)) as client:
        console.print(f"Up at [bold]{url}[/bold] after {time.monotonic() - began:.1f} s.\n")
        console.rule("Adding documents", align="left")
        if not add_files(console, client, files, "default"):
            raise StackError("not every example could be ingested; the lines above say why")
        console.print()
        console.rule("Questions", align="left")
        for question in QUESTIONS:
            console.print(f"\n[bold]{escape(question)}[/bold]")
            ask_question(console, client, question, "default")
        console.print()
        console.rule("A meeting note", align="left")
        _note(console, client, examples / _TRANSCRIPT)
        console.rule("Providers", align="left")
        console.print(provider_table(client.call("GET", "/rag/health")["providers"]))
        console.print(
            "[dim]The embedded provider is extractive: it quotes sentences of your documents. "
            "Ollama and vLLM write their own answers.[/dim]\n"
        )
        console.print(Panel(_next_steps(url, data_dir), title="Next steps", expand=False))
        console.print(f"[dim]{time.monotonic() - began:.0f} s in total.[/dim]")
        if sys.stdout.isatty():
            console.print("The stack stays up. Ctrl-C stops it.")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                console.print("Stopping…")


def _note(console: Console, client: Client, transcript: Path) -> None:
    body = {"text": transcript.read_text(), "title": transcript.stem, "kind": "meeting"}
    note = client.call("POST", "/notes/v1/notes?wait=60", json=body)
    if note["status"] != "ready":
        raise StackError(f"the note is {note['status']}")
    content = note["content"]
    console.print(f"[bold]{escape(note['title'])}[/bold]\n{escape(content['summary'])}\n")
    for title, points in (("Decisions", content["decisions"]), ("Action items", content["action_items"])):
        console.print(f"[bold]{title}[/bold]")
        for point in points:
            who = f"[cyan]{escape(point['owner'])}[/cyan]: " if point.get("owner") else ""
            when = f" [yellow]({escape(point['due'])})[/yellow]" if point.get("due") else ""
            console.print(f"  • {who}{escape(point['text'])}{when}", highlight=False)
    console.print(f"[bold]Tags[/bold] {escape(', '.join(content['tags']))}\n")


def _next_steps(url: str, data_dir: Path) -> str:
    lines = [
        f"Page        {url}/",
        "API docs    " + "   ".join(f"{url}/{service.path}/docs" for service in SERVICES),
        "",
        f"KEY=$(cat {data_dir}/cli-key)",
        f'curl -H "Authorization: Bearer $KEY" -F files=@README.md {url}/rag/v1/documents',
        f'curl -H "Authorization: Bearer $KEY" --json \'{{"question": "Who orders the seal kit?"}}\' {url}/rag/v1/query',
        f'curl -H "Authorization: Bearer $KEY" -F file=@examples/frost-rota-photo.png {url}/doc-processor/v1/process',
        "",
        f"Start it again: .venv/bin/switchyard up --embedded --data-dir {data_dir}",
    ]
    return "\n".join(escape(line) for line in lines)
