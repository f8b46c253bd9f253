"""`switchyard list`, `show` and `rm`: the documents of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from switchyard.client import Client, StackError
from switchyard.output import plain, say
from switchyard.stack.text import aligned, size
from switchyard.tasks import watch

_PAGES = 20


def listing(client: Client, collection: str, named: str) -> None:
    """Print a line per document, newest first, and below a failed one why it failed."""
    rows = [("title", "state", "pages", "language", "added", "id")]
    reasons: dict[int, str] = {}
    for each in _all(client, collection, named):
        pages, language = str(each["pages"] or "-"), each["language"] or "-"
        rows.append((plain(each["title"])[:60], each["status"], pages, language, _time(each["created"]), each["id"]))
        if each["error"]:
            reasons[len(rows) - 1] = each["error"].get("detail", "unknown reason")
    if len(rows) == 1:
        say(f"no documents in the collection {collection}: switchyard add FILE…")
        return
    for number, line in enumerate(aligned(rows, "")):
        say(line)
        if number in reasons:
            say(f"  -> {reasons[number]}")


def show(client: Client, collection: str, name: str, text: bool) -> None:
    """Print what is known about a document, and its text if asked for."""
    found = find(client, collection, name)
    facts = [
        ("title", found["title"]),
        ("file", f"{found['filename']}, {found['media_type']}, {size(found['size'])}"),
        ("state", found["status"]),
        ("pages", f"{found['pages']}, {found['chunks']} chunks"),
        ("language", found["language"] or "-"),
        ("added", _time(found["created"])),
        ("id", found["id"]),
    ]
    facts += [("warning", words) for words in found["warnings"]]
    facts += [("failed", found["error"].get("detail", "unknown reason"))] if found["error"] else []
    for line in aligned([(name, plain(value)) for name, value in facts], ""):
        say(line)
    for first in range(1, found["pages"] + 1, _PAGES) if text else ():
        path = f"/rag/v1/documents/{found['id']}/pages"
        for page in client.call("GET", path, params={"first": first, "limit": _PAGES}):
            say(f"\n--- page {page['number']}\n{page['text']}")


def retry(console: Console, client: Client, collection: str, name: str | None) -> bool:
    """Read documents again, and lost pages of others: one, or all that need it; return whether all is read."""
    found = (
        [find(client, collection, name)] if name else [one for one in _all(client, collection, "") if _is_lacking(one)]
    )
    if not found:
        say(f"nothing in the collection {collection} failed or lost a page")
    jobs = {client.call("POST", f"/rag/v1/documents/{one['id']}/retry")["job_id"]: one["title"] for one in found}
    return watch(console, client, jobs)


def _is_lacking(document: dict[str, Any]) -> bool:
    lost = any(words.startswith("page-failed:") for words in document["warnings"])
    return document["status"] in ("failed", "cancelled") or (document["status"] == "ready" and lost)


def remove(client: Client, found: dict[str, Any]) -> None:
    """Delete a document, and say how much went."""
    gone = client.call("DELETE", f"/rag/v1/documents/{found['id']}")
    say(f"deleted {found['title']}: {gone['pages']} pages, {gone['chunks']} chunks")


def find(client: Client, collection: str, name: str) -> dict[str, Any]:
    """Return the document with this id, title or file name; raises `StackError` if there is none, or more than one."""
    if name.startswith("doc_"):
        return dict(client.call("GET", f"/rag/v1/documents/{name}"))
    near = list(_all(client, collection, name))
    found = [each for each in near if name in (each["title"], each["filename"])]
    if len(found) == 1:
        return found[0]
    if found:
        raise StackError(
            f"{len(found)} documents are called {name}; say which: {', '.join(one['id'] for one in found)}"
        )
    others = ", ".join(sorted({each["title"] for each in near})[:5])
    hint = f"did you mean {others}?" if others else "`switchyard list` shows those there are"
    raise StackError(f"no document in the collection {collection} is called {name}: {hint}")


def _all(client: Client, collection: str, named: str) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"collection": collection, "named": named, "limit": 200}
    while True:
        page = client.call("GET", "/rag/v1/documents", params=query)
        yield from page["items"]
        if not page["next_cursor"]:
            return
        query["cursor"] = page["next_cursor"]


def _time(stamp: str) -> str:
    """Return a time as people write it, in UTC."""
    return stamp[:16].replace("T", " ")
