"""`switchyard audit`: list, check and export the audit log of an installation, here or elsewhere."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from switchyard.client import Client, StackError, saved_key
from switchyard.options import DATA, DataDir
from switchyard.output import console

app = typer.Typer(no_args_is_help=True, help="Who did what, from where, when, and how it ended.")

Since = Annotated[datetime | None, typer.Option(help="From this time on; of this machine's zone, unless it names one")]
Who = Annotated[str | None, typer.Option(help="Id or name of a key, or an address")]
What = Annotated[str | None, typer.Option(help="`document`, `document.delete`, `question`, `sign-in`, ...")]
Remote = Annotated[
    str | None, typer.Option(help="Ask this service, such as http://localhost:8080/rag; else the data folder")
]


@app.command("list")
def list_acts(
    since: Since = None,
    who: Who = None,
    what: What = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    url: Remote = None,
    data_dir: DataDir = DATA,
) -> None:
    """List acts, newest first."""
    from service_kit.audit.reading import outcome_of

    table = Table("when (UTC)", "who", "from", "what", "on", "outcome", box=None, pad_edge=False)
    for fields in _acts(since, who, what, limit, url, data_dir):
        by = fields["who"]
        on = fields.get("target") or fields.get("collection") or ""
        cells = fields["time"], by.get("name", by["key"]), by.get("address", "-"), fields["act"], on, outcome_of(fields)
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)


@app.command()
def verify(
    anchor: Annotated[
        list[str] | None, typer.Option(help="A hash noted earlier that must still be there; may be repeated")
    ] = None,
    data_dir: DataDir = DATA,
) -> None:
    """Check that nothing was changed, removed, inserted, reordered or cut off; exit status 1 if something was.

    It prints the hash of each chain's end. Kept elsewhere, and given as --anchor, it shows a chain that was made anew as a whole.
    """
    from service_kit.audit.reading import verify as check

    checked = check(_folder(data_dir), anchor or [])
    for chain in checked:
        words = f"{len(chain.faults)} faults" if chain.faults else "as it was written"
        typer.echo(f"{chain.chain}: {chain.entries} entries, {words}; end {chain.head or '-'}")
        for fault in chain.faults:
            typer.echo(f"  {fault}")
    if any(chain.faults for chain in checked):
        raise typer.Exit(1)


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write, readable by you only")] = None,
    form: Annotated[Literal["csv", "json"], typer.Option("--format")] = "csv",
    since: Since = None,
    who: Who = None,
    what: What = None,
    data_dir: DataDir = DATA,
) -> None:
    """Write acts as a table or as JSON; no cell of the table is a formula."""
    from service_kit.audit.reading import as_csv

    found = _acts(since, who, what, None, None, data_dir)
    text = as_csv(found) if form == "csv" else json.dumps(found, indent=1)
    if output is None:
        typer.echo(text)
        return
    output.touch(0o600)
    output.write_text(text, newline="")


def _acts(
    since: datetime | None, who: str | None, what: str | None, limit: int | None, url: str | None, data_dir: Path
) -> list[dict[str, Any]]:
    from service_kit.audit.reading import Filter, acts, utc

    begin = utc(since) if since else None
    if url is None:
        return acts(_folder(data_dir), Filter(begin, who, what), limit)
    asked = {"since": begin, "who": who, "what": what, "limit": limit}
    with Client(url, saved_key(data_dir)) as client:
        answer = client.call("GET", "/v1/audit", params={k: v for k, v in asked.items() if v is not None})
    items: list[dict[str, Any]] = answer["items"]
    return items


def _folder(data_dir: Path) -> Path:
    from service_kit.audit.log import FOLDER

    if not (folder := data_dir / FOLDER).is_dir():
        raise StackError(f"there is no audit log in {folder}; name the installation with --data-dir")
    return folder
