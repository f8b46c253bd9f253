"""`switchyard sync`: a folder is mirrored into a collection."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.markup import escape

from service_kit.folders import FolderGone, Mirror, Remote, RemoteError, Round, follow, once
from switchyard.client import Client, StackError
from switchyard.output import plain


def source_of(folder: Path) -> str:
    """Name the folder as the source of its documents: two folders of one name, in different places, are two sources."""
    whole = folder.resolve()
    return f"{whole.name}-{hashlib.sha256(bytes(whole)).hexdigest()[:8]}"


def sync(
    console: Console,
    client: Client,
    folder: Path,
    collection: str,
    name: str | None,
    watch: float | None,
    max_deletes: int | None,
) -> bool:
    """Mirror the folder, once or with `watch` every so many seconds at least; return whether all of its files are documents."""

    def report(words: str) -> None:
        console.print(f"  {plain(words)}", markup=False, highlight=False, soft_wrap=True)

    remote = Remote(client.http, "/rag")
    source = name or source_of(folder)
    mirror = Mirror(folder, remote, source, lambda _: collection, lambda: [collection], report, max_deletes)
    if watch is not None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        follow(mirror, watch, stop)
        return True
    try:
        done = once(mirror)
    except (FolderGone, RemoteError) as error:
        raise StackError(str(error)) from error
    _summarise(console, done)
    return not (done.failed or done.withheld)


def _summarise(console: Console, done: Round) -> None:
    for name, why in sorted(done.failed.items()):
        console.print(f"  [red]{escape(plain(name))}[/red]: {escape(plain(why))}", soft_wrap=True)
    for name, why in sorted(done.skipped.items()):
        console.print(f"  [yellow]{escape(plain(name))}[/yellow]: left out: {escape(plain(why))}", soft_wrap=True)
    console.print(f"  {done.files - len(done.failed)} of {done.files} files are documents")
