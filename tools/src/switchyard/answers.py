"""`switchyard ask` and `switchyard chat`: answers as they are written, with their sources."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rich.console import Console
from rich.markup import escape

from switchyard.client import Client, StackError
from switchyard.output import plain

_EXCERPT = 100


def ask_question(console: Console, client: Client, question: str, collection: str) -> dict[str, Any]:
    """Stream an answer to the console, then its sources; return the `done` event."""
    return _Answer(console).show(client, {"question": question, "collection": collection})


def chat(console: Console, client: Client, collection: str) -> None:
    """Ask what is typed until Ctrl-D, in one conversation; Ctrl-C stops an answer, and at the prompt the chat."""
    if console.is_terminal:
        console.print("[dim]Ask; follow-ups are understood. Ctrl-C stops an answer, Ctrl-D ends the chat.[/dim]")
    conversation: str | None = None
    for question in _questions():
        answer = _Answer(console)
        body = {"question": question, "collection": collection, "remember": True, "conversation_id": conversation}
        try:
            answer.show(client, body)
        except KeyboardInterrupt:
            console.print("\n  [dim]stopped[/dim]")
        except StackError as error:
            # Without a status nothing answers: the chat is over.
            if error.status is None and not answer.begun:
                raise
            console.print(f"  [red]{escape(plain(str(error)))}[/red]", soft_wrap=True)
        conversation = answer.conversation or conversation


def _questions() -> Iterator[str]:
    if sys.stdin.isatty():
        # Its import gives `input` a history and keys to edit with.
        import readline  # noqa: F401
    while True:
        try:
            question = input("> " if sys.stdin.isatty() else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if question:
            yield question


class _Answer:
    """An answer on its way to the console; `conversation` is its id once it is known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.conversation: str | None = None
        self.begun = False

    def show(self, client: Client, body: dict[str, Any]) -> dict[str, Any]:
        """Print the answer to `body` and return the `done` event; raises `StackError` if there is none."""
        with closing(client.events("POST", "/rag/v1/query", json=body)) as events:
            for event, data in events:
                self.begun = True
                match event:
                    case "sources":
                        self.conversation = data["conversation_id"]
                    case "token":
                        # Not by `print`, which prints its buffer again when Ctrl-C comes between writing and emptying it.
                        self._console.file.write(plain(data["text"]))
                        self._console.file.flush()
                    case "failover":
                        words = f"{data['from']} failed ({data['reason']}): {data['to']} goes on"
                        again = ", from the beginning" if data["restarted"] else ""
                        self._console.print(f"\n  [yellow]{escape(plain(words))}{again}[/yellow]", soft_wrap=True)
                    case "error" | "cancelled":
                        self._console.print()
                        raise StackError(data["detail"])
                    case "done":
                        self._console.print()
                        self._end(data)
                        return dict(data)
        raise StackError("the answer was cut off")

    def _end(self, done: dict[str, Any]) -> None:
        if done["replaced"]:
            self._console.print(plain(done["text"]), style="yellow", markup=False, highlight=False, soft_wrap=True)
        for cited in done["citations"]:
            title, page = escape(plain(cited["title"])), cited["page"]
            words = f"  [cyan]\\[{cited['label']}][/cyan] {title}, page {page}: [dim]“{escape(_excerpt(cited['quote']))}”[/dim]"
            self._console.print(words, soft_wrap=True)
        flags = ["extractive"] * done["extractive"] + [f"degraded: {part}" for part in done["degraded"]]
        seconds = done["seconds"]
        by = f"{done['provider']}, {seconds['retrieval']:.2f} s to search, {seconds['total']:.2f} s in total"
        self._console.print(f"  [dim]{escape(plain(', '.join([by, *flags])))}[/dim]", soft_wrap=True)


def _excerpt(quote: str) -> str:
    """Return the quoted words in one line; the row of a table without its rules."""
    words = " ".join(plain(quote).split())
    if words.startswith("|"):
        words = " · ".join(cell.strip() for cell in words.strip("|").split("|"))
    return f"{words[:_EXCERPT]}…" if len(words) > _EXCERPT else words
