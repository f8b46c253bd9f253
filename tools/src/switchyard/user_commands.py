"""The commands of people who read and ask: add, list, show, rm, ask, chat and note."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchyard.client import Client, saved_key
from switchyard.options import DATA, URL, DataDir, Url
from switchyard.output import confirmed, console

Collection = Annotated[str, typer.Option(help="The collection of documents")]
Name = Annotated[str, typer.Argument(metavar="DOCUMENT", help="Its title, file name or id")]


def add(
    files: Annotated[list[Path], typer.Argument(help="Files, and folders with all below them")],
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Add documents, with their progress and warnings; exit status 1 if a file could not be added, the others are."""
    from switchyard.uploads import add_files

    with Client(url, saved_key(data_dir)) as client:
        if not add_files(console, client, files, collection):
            raise typer.Exit(1)


def sync(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder, with all below it")],
    collection: Collection = "default",
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and mirror each change")] = False,
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds until it is looked at again anyway")] = 30,
    name: Annotated[
        str | None, typer.Option(help="What the folder is called; its own name and place if not given")
    ] = None,
    max_deletes: Annotated[
        int | None, typer.Option(min=0, help="Most documents deleted at once; ten or a fifth of them if not given")
    ] = None,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Mirror a folder: what is added, changed, renamed and deleted in it is so in the collection. Exit status 1 if files failed."""
    from switchyard.sync import sync as mirror

    with Client(url, saved_key(data_dir)) as client:
        if not mirror(console, client, folder, collection, name, every if watch else None, max_deletes):
            raise typer.Exit(1)


def listing(
    named: Annotated[str, typer.Argument(metavar="[WORDS]", help="Part of the title or of the file name")] = "",
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """List documents, newest first; for failed ones with the reason."""
    from switchyard import documents

    with Client(url, saved_key(data_dir)) as client:
        documents.listing(client, collection, named)


def retry(
    document: Annotated[
        str | None, typer.Argument(help="Its title, file name or id; all that need it if not given")
    ] = None,
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Read documents again that failed, and pages that were lost because their worker crashed or hung."""
    from switchyard import documents

    with Client(url, saved_key(data_dir)) as client:
        if not documents.retry(console, client, collection, document):
            raise typer.Exit(1)


def show(
    document: Name,
    text: Annotated[bool, typer.Option("--text", help="Its text too, page by page")] = False,
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show what is known about a document."""
    from switchyard import documents

    with Client(url, saved_key(data_dir)) as client:
        documents.show(client, collection, document, text)


def rm(
    document: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Delete a document for good, with its text and vectors."""
    from switchyard import documents

    with Client(url, saved_key(data_dir)) as client:
        found = documents.find(client, collection, document)
        if not yes and not confirmed(f"Delete {found['title']} ({found['pages']} pages)?"):
            raise typer.Exit(1)
        documents.remove(client, found)


def ask(question: str, collection: Collection = "default", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Ask a question; the answer comes with its sources."""
    from switchyard.answers import ask_question

    with Client(url, saved_key(data_dir)) as client:
        ask_question(console, client, question, collection)


def chat(collection: Collection = "default", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Ask one question after the other, follow-ups too; Ctrl-C stops an answer, Ctrl-D ends the chat."""
    from switchyard import answers

    with Client(url, saved_key(data_dir)) as client:
        answers.chat(console, client, collection)


def note(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A text, transcript or document; - for standard input")],
    kind: Annotated[str, typer.Option(help="general, meeting, lecture and so on")] = "general",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Make a note: summary, key points, decisions and action items."""
    from switchyard.notes import make_note

    with Client(url, saved_key(data_dir)) as client:
        make_note(console, client, file, kind)
