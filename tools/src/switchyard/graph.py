"""`switchyard graph`: who and what a collection's documents name, and how they hang together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from switchyard.client import Client, StackError, saved_key
from switchyard.options import DATA, URL, DataDir, Url
from switchyard.output import console, plain, say

app = typer.Typer(no_args_is_help=True, help="Entities of the documents, and their relations.")
Collection = Annotated[str, typer.Option(help="The collection of documents")]
Name = Annotated[str, typer.Argument(help="One of its names, or its id")]
_SHOWN = 10


@app.command()
def build(
    collection: Collection = "default",
    again: Annotated[bool, typer.Option("--again", help="Read all documents, and not only what has changed")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Build a collection's graph, or bring it up to date, and wait for it."""
    with Client(url, saved_key(data_dir)) as client:
        job = client.call("POST", "/graph/v1/graphs", json={"collection": collection, "again": again})
        for _, state in client.events("GET", f"/graph/v1/jobs/{job['id']}/events"):
            job = state
            waits = f", waits: {state['waiting_for']}" if state["waiting_for"] else ""
            say(f"  {state['stage']}, {state['chunks_done']}/{state['chunks_total'] or '?'} chunks{waits}")
        if job["status"] != "ready":
            raise StackError(
                f"the build is {job['status']}: {(job['error'] or {}).get('detail', 'it can be begun again')}"
            )
        graph = client.call("GET", f"/graph/v1/graphs/{collection}")
        say(f"{graph['entities']} entities and {graph['relations']} relations of {graph['documents']} documents")
        say(f"read by {graph['extractor'] or 'nothing yet'}; {graph['incomplete']} chunks incomplete")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One of its names, or its id; all if not given")] = "",
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show an entity with its neighbours and the sentences that name it; or the entities that are named most."""
    with Client(url, saved_key(data_dir)) as client:
        if not name:
            found = client.call("GET", "/graph/v1/entities", params={"collection": collection})["items"]
            _table(
                ("id", "type", "entity", "mentions"), [[e["id"], e["type"], e["name"], e["mentions"]] for e in found]
            )
            return
        entity = client.call("GET", f"/graph/v1/entities/{_find(client, collection, name)}")
        neighbours = client.call("GET", f"/graph/v1/entities/{entity['id']}/neighbours", params={"limit": _SHOWN})
        say(f"{entity['name']} ({entity['type']}, id {entity['id']}, {entity['mentions']} mentions)")
        if len(entity["aliases"]) > 1:
            say(f"also: {', '.join(alias for alias in entity['aliases'] if alias != entity['name'])}")
        rows = [[n["entity"]["name"], n["entity"]["type"], ", ".join(n["kinds"]), n["sentences"]] for n in neighbours]
        _table(("with", "type", "as", "sentences"), rows)
        for mention in entity["mentioned"][:_SHOWN]:
            say(_quoted(mention["evidence"]))


@app.command()
def communities(
    collection: Collection = "default",
    limit: Annotated[int, typer.Option(min=1, max=200, help="Show so many")] = 20,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show groups of entities that sentences name together, the biggest first, with those that are named most."""
    with Client(url, saved_key(data_dir)) as client:
        found = client.call("GET", f"/graph/v1/graphs/{collection}/communities", params={"limit": limit})["items"]
        rows = [[each["size"], ", ".join(entity["name"] for entity in each["entities"])] for each in found]
        _table(("entities", "named most"), rows)
        if not rows:
            say("no sentences name entities together")


@app.command()
def path(
    source: Name, target: Name, collection: Collection = "default", url: Url = URL, data_dir: DataDir = DATA
) -> None:
    """Show a shortest way from one entity to another, with a sentence for each step; exit status 1 if there is none."""
    with Client(url, saved_key(data_dir)) as client:
        ends = {"from": _find(client, collection, source), "to": _find(client, collection, target)}
        found = client.call("GET", "/graph/v1/paths", params=ends)
        for step in found["steps"]:
            kinds = sorted({relation["kind"] for relation in step["relations"]})
            say(f"{step['source']['name']} – {', '.join(kinds)} – {step['target']['name']}")
            say(f"  {_quoted(step['relations'][0]['evidence'])}")
        if not found["connected"]:
            say("no sentences connect the two")
            raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="FILE.graphml, .jsonld, .csv or .cypher")],
    collection: Collection = "default",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Write a graph to a file, in the format that its name says."""
    with Client(url, saved_key(data_dir)) as client:
        # A refusal is a sentence, and no file.
        client.call("GET", f"/graph/v1/graphs/{collection}")
        query = {"format": out.suffix.lstrip(".")}
        with client.http.stream("GET", f"/graph/v1/graphs/{collection}/export", params=query) as answer:
            if answer.status_code != 200:
                raise StackError(f"{out}: a graph is exported as .graphml, .jsonld, .csv or .cypher")
            try:
                with out.open("wb") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
            except OSError as error:
                raise StackError(f"{out}: {error.strerror}") from error
    say(f"written to {out}")


def _find(client: Client, collection: str, name: str) -> int:
    """Return the id of the entity that is named so, or whose id it is; raises `StackError` unless there is one."""
    if name.isdecimal():
        return int(name)
    found = client.call("GET", "/graph/v1/entities", params={"collection": collection, "q": name, "limit": 50})["items"]
    exact = [entity for entity in found if entity["name"].casefold() == name.casefold()] or found
    if not exact:
        raise StackError(f"no entity of {collection!r} is named {name!r}")
    if len(exact) > 1:
        some = ", ".join(f"{entity['id']} ({entity['name']}, {entity['type']})" for entity in exact[:_SHOWN])
        raise StackError(f"{name!r} may be several; say which by its id: {some}")
    return int(exact[0]["id"])


def _quoted(evidence: dict[str, Any]) -> str:
    return f"“{' '.join(evidence['quote'].split())}” ({evidence['document']}, page {evidence['page']})"


def _table(columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    if not rows:
        return
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(escape(plain(str(cell))) for cell in row))
    console.print(table)
