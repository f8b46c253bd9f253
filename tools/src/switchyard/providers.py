"""`switchyard providers`: show and change which backend serves what, while everything runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from switchyard import transitions
from switchyard.client import Client, StackError, saved_key
from switchyard.options import DATA, URL, ChatRole, DataDir, Url, Why
from switchyard.output import console, say
from switchyard.policy import UNKNOWN, check, read, take, under_way
from switchyard.transitions import CHAT, Policy

app = typer.Typer(no_args_is_help=True, help="Show and change which backend serves what; nothing restarts.")

Percent = Annotated[float, typer.Option(min=0, max=100, help="Share, 0 to 100")]
Named = Annotated[str | None, typer.Argument(help="The candidate; needed only where there are several")]


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show the backend of each role, and canaries and shadows with their figures."""
    from switchyard.spaces import mismatches
    from switchyard.tables import show

    with Client(url, saved_key(data_dir)) as client:
        view = read(client)
        if as_json:
            typer.echo(json.dumps(view, indent=2))
            return
        show(console, view)
        for line in mismatches(client, view["policy"]):
            say(line)


@app.command()
def use(
    backend: str,
    role: Annotated[list[str] | None, typer.Option(help="text unless given; may be repeated")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the backend fails a test request")] = False,
    why: Why = "use {backend}",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Switch to BACKEND; the one it replaces becomes its fallback."""
    roles = role or ["text"]

    def step(policy: Policy) -> Policy:
        for each in roles:
            policy = transitions.use(policy, each, backend)
        return policy

    with Client(url, saved_key(data_dir)) as client:
        for each in roles:
            try:
                say(check(client, each, backend))
            except StackError as error:
                if error.status != 503 or error.kind == UNKNOWN:
                    raise
                if not force:
                    raise StackError(f"{error}; --force switches anyway", status=error.status) from error
                say(f"{error}; switching anyway")
        take(client, step, why.format(backend=backend))
    if "embeddings" in roles:
        say(
            "a collection that has an index stays with the backend that made it: "
            f"`switchyard reindex --provider {backend}` moves one"
        )


@app.command()
def canary(
    backend: Named = None,
    percent: Percent = 10,
    role: ChatRole = "text",
    why: Why = "canary at {percent:g} %",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Give a candidate a share of the conversations; the gates check it."""
    _try(transitions.canary, backend, percent, role, why, url, data_dir)


@app.command()
def shadow(
    backend: Named = None,
    percent: Percent = 20,
    role: ChatRole = "text",
    why: Why = "shadow at {percent:g} %",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Send a share of the requests to a candidate as well, after the user's answer, and compare the two."""
    _try(transitions.shadow, backend, percent, role, why, url, data_dir)


@app.command()
def promote(role: ChatRole = "text", why: Why = "promoted", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Make the candidate the stable backend."""
    with Client(url, saved_key(data_dir)) as client:
        take(client, partial(transitions.promote, role=role), why)


@app.command()
def rollback(role: ChatRole = "text", why: Why = "rolled back", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """End the trial of a candidate, running or stopped by a gate; without a candidate, go back to the previous backend."""
    with Client(url, saved_key(data_dir)) as client:
        take(client, partial(transitions.rollback, role=role), why)


@app.command()
def chain(
    role: Annotated[str, typer.Option(help="Any role")] = "text",
    fallback: Annotated[list[str] | None, typer.Option(help="A fallback; may be repeated, in order")] = None,
    no_fallbacks: Annotated[bool, typer.Option("--no-fallbacks", help="Remove all fallbacks")] = False,
    on_break: Annotated[
        Literal["continue", "restart", "fail"] | None, typer.Option(help="What happens to a stream that breaks")
    ] = None,
    why: Why = "chain set",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Set the fallbacks of the stable backend, and what happens to an answer that breaks in the middle."""
    if fallback and no_fallbacks:
        raise StackError("--fallback and --no-fallbacks exclude each other")
    if not (fallback or no_fallbacks or on_break):
        raise StackError("set one of --fallback NAME, --no-fallbacks or --on-break")
    names = [] if no_fallbacks else fallback or None
    with Client(url, saved_key(data_dir)) as client:
        take(client, partial(transitions.chain, role=role, fallbacks=names, on_break=on_break), why)


@app.command()
def halt(why: Why = "emergency stop", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Stop all generation, text and vision: new requests get a clear 503, running ones end as cancelled."""
    with Client(url, saved_key(data_dir)) as client:
        count = under_way(client, CHAT)
        take(client, transitions.halt, why)
        say(f"{count} generations were under way, in one replica of each service, and were stopped")


@app.command()
def resume(why: Why = "resumed", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Undo `halt`."""
    with Client(url, saved_key(data_dir)) as client:
        take(client, transitions.resume, why)


@app.command()
def gates(
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=NUMBER; may be repeated; without it they are shown")
    ] = None,
    why: Why = "gates set: {set}",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show or set the limits that a candidate must keep."""
    changes = dict(map(_gate, set_ or []))
    with Client(url, saved_key(data_dir)) as client:
        if changes:
            take(client, partial(transitions.gates, changes=changes), why.format(set=" ".join(set_ or [])))
        for name, limit in read(client)["policy"]["gates"].items():
            console.print(f"  {escape(name):<28} {'–' if limit is None else format(limit, 'g')}", highlight=False)


@app.command()
def audit(limit: int = 20, url: Url = URL, data_dir: DataDir = DATA) -> None:
    """List the last changes: when, by whom, why, and what changed."""
    from switchyard.tables import audit_table

    with Client(url, saved_key(data_dir)) as client:
        console.print(audit_table(client.call("GET", "/rag/v1/providers/audit", params={"limit": limit})["items"]))


def _try(
    make: Callable[[Policy, str, str, float], Policy],
    backend: str | None,
    percent: float,
    role: str,
    why: str,
    url: str,
    data_dir: Path,
) -> None:
    with Client(url, saved_key(data_dir)) as client:
        view = read(client)
        chosen = backend or transitions.default_candidate(
            view["policy"], role, view["backends"], view.get("extractive", ())
        )
        take(client, lambda policy: make(policy, role, chosen, percent), why.format(percent=percent))


def _gate(text: str) -> tuple[str, float]:
    name, _, limit = text.partition("=")
    try:
        number = float(limit)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StackError(f"--set {text}: write NAME=NUMBER")
    return name, int(number) if number.is_integer() else number
