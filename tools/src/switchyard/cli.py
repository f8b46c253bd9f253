"""The `switchyard` command."""

from __future__ import annotations

import os
import signal
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from switchyard import audit, commands, engines, graph, providers, user_commands
from switchyard.client import Client, StackError, saved_key
from switchyard.installation import DEMO
from switchyard.options import DATA, URL, DataDir, Folder, Port, Url, is_default
from switchyard.output import console

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(providers.app, name="providers")
app.add_typer(engines.app, name="engines")
app.add_typer(audit.app, name="audit")
app.add_typer(graph.app, name="graph")
for command in (user_commands.add, user_commands.show, user_commands.rm, user_commands.ask, user_commands.chat):
    app.command()(command)
app.command()(user_commands.sync)
app.command()(user_commands.retry)
app.command("list")(user_commands.listing)
app.command()(user_commands.note)
app.command()(commands.compare)
app.command()(commands.migrate)
# Commands of other packages: benchmarks/ in a checkout.
for extra in sorted(entry_points(group="switchyard.commands")):
    app.add_typer(extra.load(), name=extra.name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"switchyard {version('switchyard')}")
        raise typer.Exit


@app.callback(help=__doc__)
def whole(
    shown: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version")
    ] = False,
) -> None:
    """What belongs to no command."""


@app.command()
def up(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Everything in this process, without Docker or GPU")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Port = 8080,
    data_dir: Folder = DATA,
) -> None:
    """Start the stack and stay until Ctrl-C."""
    if not embedded:
        raise StackError(
            "containers are started with `docker compose up`; `switchyard up --embedded` needs no containers"
        )
    from switchyard.server import serve

    serve(data_dir, host, port)


@app.command()
def demo(port: Port = 8080, data_dir: Folder = DEMO, examples: Path = Path("examples")) -> None:
    """Start the stack, add the examples, ask questions, make a note, and print a link that signs in."""
    from switchyard.demo import run

    # As Ctrl-C: its stack, a process of its own, ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run(console, data_dir, port, examples)


@app.command()
def status(url: Url = URL) -> None:
    """Show which provider serves each role, and the services' health."""
    from switchyard.tasks import show_status

    with Client(url, "") as client:
        show_status(console, client)


@app.command()
def reindex(
    collection: str = "default",
    provider: Annotated[
        str | None, typer.Option(help="The backend for the embeddings: moves the collection to another space")
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Swap back to the previous index")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Make a collection's vectors again from the stored text, in a new index, and swap the two."""
    from switchyard import spaces

    if rollback and provider:
        raise StackError("--rollback goes back to the previous index; it takes no --provider")
    with Client(url, saved_key(data_dir)) as client:
        done = (
            spaces.rollback(console, client, collection)
            if rollback
            else spaces.reindex(console, client, collection, provider)
        )
        if not done:
            raise typer.Exit(1)


@app.command()
def parity(
    a: Annotated[str, typer.Option(help="A backend, as `switchyard providers status` names it")],
    b: Annotated[str, typer.Option(help="The other")],
    collection: Annotated[str | None, typer.Option(help="Compare on a sample of its chunks too")] = None,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Compare two backends' embeddings; one may be the other's fallback only after this has passed."""
    from switchyard import spaces

    with Client(url, saved_key(data_dir)) as client:
        if not spaces.parity(console, client, a, b, collection):
            raise typer.Exit(1)


@app.command()
def key(context: typer.Context, data_dir: DataDir = DATA) -> None:
    """Print the admin key that the first start made: of the stack in Docker, else of the process without Docker."""
    from switchyard.stack import cli as stack
    from switchyard.stack.errors import Stopped

    try:
        typer.echo(stack.key(Path.cwd(), os.environ, () if is_default(context, "data_dir") else (data_dir,)))
    except Stopped as error:
        raise StackError(f"{error}; {error.todo}" if error.todo else str(error)) from error


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def keys(context: typer.Context, data_dir: DataDir = DATA) -> None:
    """API keys of an installation on this machine: create NAME, list, revoke ID; see -h."""
    from service_kit.manage_keys import main as manage

    raise typer.Exit(manage(context.args, data_dir))


def main() -> None:
    """Run the command; an expected error is one red sentence and exit status 1."""
    try:
        app()
    except Exception as error:
        if not _is_expected(error):
            raise
        Console(stderr=True).print(f"[red]switchyard:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from error


def _is_expected(error: Exception) -> bool:
    if isinstance(error, StackError):
        return True
    # Imported only now: the services take longer to import than most commands to run.
    from llm_providers.errors import ProviderError
    from llm_providers.settings import SettingsError
    from service_kit.errors import ServiceError
    from service_kit.settings import InvalidSettings

    return isinstance(error, ServiceError | ProviderError | InvalidSettings | SettingsError)
