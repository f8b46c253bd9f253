"""`switchyard add`: files and folders become documents."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from switchyard.client import Client, StackError
from switchyard.output import plain
from switchyard.tasks import watch

# The file is at fault, and the next one may be fine.
_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_LINE_SECONDS = 10


def add_files(console: Console, client: Client, paths: Sequence[Path], collection: str) -> bool:
    """Upload files, and folders with all below them, watch their jobs, and return whether all were ingested.

    A file that can't be read, or is refused, is named, and the others are added; raises `StackError` if the stack fails.
    """
    files = [(file, path if path.is_dir() else None) for path in paths for file in _files(path)]
    jobs: dict[str, str] = {}
    bad = 0
    said = time.monotonic()
    for number, (path, folder) in enumerate(files, 1):
        try:
            known = _add(client, path, folder, collection, jobs)
        except _Bad as error:
            bad += 1
            console.print(f"  [red]{escape(plain(str(path)))}[/red]: {escape(plain(str(error)))}", soft_wrap=True)
            continue
        if known:
            console.print(f"  [dim]{escape(plain(path.name))} had been added before[/dim]", soft_wrap=True)
        if time.monotonic() - said > _LINE_SECONDS:
            console.print(f"  [dim]{number} of {len(files)} files sent[/dim]")
            said = time.monotonic()
    if not files:
        console.print(f"  no files in {', '.join(map(str, paths))}", markup=False, soft_wrap=True)
    ready = watch(console, client, jobs)
    if bad:
        console.print(f"  {bad} of {len(files)} files were not added; the lines above say why")
    return ready and not bad and bool(files)


class _Bad(Exception):
    """A file that can't be added."""


def _files(path: Path) -> Iterator[Path]:
    """Yield the file, or the files below the folder but hidden ones, by name."""
    if not path.is_dir():
        yield path
        return
    for below in sorted(path.iterdir()):
        # A link to a folder above would never end.
        if not below.name.startswith(".") and not (below.is_symlink() and below.is_dir()):
            yield from _files(below)


def _add(client: Client, path: Path, folder: Path | None, collection: str, jobs: dict[str, str]) -> bool:
    """Upload a file and note its job; return whether it was there already. Raises `_Bad`.

    A file of a folder is called by its path in it: files of one name in different folders are different documents.
    """
    data = {"collection": collection}
    if folder is not None:
        data["external_id"] = f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
    try:
        with path.open("rb") as content:
            files = [("files", (path.name, content))]
            added = client.call("POST", "/rag/v1/documents", files=files, data=data)["items"][0]
    except OSError as error:
        raise _Bad(error.strerror or str(error)) from error
    except StackError as error:
        if error.status not in _REFUSALS:
            raise
        raise _Bad(str(error)) from error
    if not added["new"] and added["document"]["status"] == "ready":
        return True
    jobs[added["job_id"]] = path.name
    return False
