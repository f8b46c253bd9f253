"""`switchyard demo`: the main tasks on the example documents."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from switchyard.answers import ask_question
from switchyard.client import Client, StackError
from switchyard.installation import FOLDERS
from switchyard.notes import show_note
from switchyard.server import background, has_stopped, log_of, own_key
from switchyard.services import SERVICES
from switchyard.tasks import provider_table
from switchyard.uploads import add_files

_SUFFIXES = {".md", ".txt", ".html", ".docx", ".pdf", ".png"}
_LEFT_OUT = {"README.md"}
_TRANSCRIPT = "meeting-2026-10-14.txt"
QUESTIONS = (
    # A sentence of a Word file, a scan, the cell of a table, another language, and what is in no document.
    "How much gas did the thermal screen save?",
    "When must the shaft seal of pump 2 be replaced?",
    "How large is the Long House?",
    "Hoeveel kost een rondleiding?",
    "Who is the mayor of Wrenfield?",
)


def run(console: Console, data_dir: Path, port: int, examples: Path) -> None:
    """Run the demo; on a terminal the stack stays up until Ctrl-C, otherwise it stops at the end.

    Raises `StackError` with the end of the log when the stack's process stops before that.
    """
    began = time.monotonic()
    files = sorted(p for p in examples.glob("*") if p.suffix in _SUFFIXES and p.name not in _LEFT_OUT)
    if not files:
        raise StackError(f"no example documents in {examples}: run this from the repository's top folder")
    console.rule("Switchyard")
    console.print("Starting the services, one process, no model server…")
    url = f"http://localhost:{port}"
    with background(data_dir, port) as process, Client(f"http://127.0.0.1:{port}", own_key(data_dir)) as client:
        console.print(f"Up at [bold]{url}[/bold] after {time.monotonic() - began:.1f} s.\n")
        try:
            _tasks(console, client, files, examples / _TRANSCRIPT)
            stays = sys.stdout.isatty()
            link = client.call("POST", "/rag/v1/session/links")["secret"] if stays else ""
        except StackError as error:
            if process.poll() is None:
                raise
            raise has_stopped(process, log_of(data_dir)) from error
        console.print(f"[dim]{time.monotonic() - began:.0f} s in total.[/dim]\n")
        for line in _next_steps(url, data_dir, port, link):
            console.print(escape(line), highlight=False, soft_wrap=True)
        if stays:
            try:
                process.wait()
            except KeyboardInterrupt:
                console.print("Stopping…")
            else:
                raise has_stopped(process, log_of(data_dir))


def _tasks(console: Console, client: Client, files: Sequence[Path], transcript: Path) -> None:
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
    body = {"text": transcript.read_text(), "title": transcript.stem, "kind": "meeting"}
    note = client.call("POST", "/notes/v1/notes?wait=60", json=body)
    if note["status"] != "ready":
        raise StackError(f"the note is {note['status']}")
    show_note(console, note)
    console.rule("Engines", align="left")
    console.print(provider_table(client.call("GET", "/rag/health")["providers"]))
    console.print(
        "[dim]The embedded engine is extractive: it quotes sentences of your documents. "
        "Ollama and vLLM write their own answers.[/dim]\n",
        soft_wrap=True,
    )


def _next_steps(url: str, data_dir: Path, port: int, link: str) -> Iterator[str]:
    """Yield lines that can be pasted; `link` is the secret that signs in, empty where the stack stops now."""
    folder = "" if data_dir in FOLDERS else f" --data-dir {shlex.quote(str(data_dir))}"
    again = f".venv/bin/switchyard up --embedded --port {port} --data-dir {shlex.quote(str(data_dir))}"
    if link:
        yield "Command line, in another terminal:"
    else:
        yield "Start it again, with what it knows now:"
        yield f"  {again}"
        yield ""
        yield "Then, in another terminal:"
    yield f'  .venv/bin/switchyard ask "Who orders the seal kit?"{folder}'
    yield f"  .venv/bin/switchyard chat{folder}"
    yield f"  .venv/bin/switchyard add README.md{folder}"
    yield ""
    yield "Any program:"
    yield "  export KEY=$(make key)" if not folder else f"  export KEY=$(.venv/bin/switchyard key{folder})"
    yield f'  curl -H "Authorization: Bearer $KEY" --json \'{{"question": "Who orders the seal kit?"}}\' {url}/rag/v1/query'
    yield f'  curl -H "Authorization: Bearer $KEY" -F file=@examples/frost-rota-photo.png {url}/doc-processor/v1/process'
    yield "  API documentation: " + "  ".join(f"{url}/{service.path}/docs" for service in SERVICES)
    if link:
        yield ""
        yield f"Ctrl-C stops the stack; to start it again: {again}"
        yield ""
        yield "The page; this link signs you in, once, within 15 minutes:"
        yield f"  {url}/#once={link}"
    else:
        yield ""
        yield f"The page: {url}/"
