"""`switchyard providers`: see and change, while everything runs, which backend serves what."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from switchyard import transitions
from switchyard.client import Client, StackError, saved_key
from switchyard.following import change, follow, followed_in_words, read
from switchyard.options import DATA, URL, ChatRole, DataDir, Url, Why
from switchyard.transitions import Policy, Transition

app = typer.Typer(no_args_is_help=True, help="See and change which backend serves what; nothing restarts.")
console = Console()

Percent = Annotated[float, typer.Option(min=0, max=100, help="Share, 0 to 100")]
Named = Annotated[str | None, typer.Argument(help="The candidate; needed only where there are several")]


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As the server says it")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show who serves each role, what is being tried, and how it does."""
    from switchyard.showing import show

    with Client(url, saved_key(data_dir)) as client:
        view = read(client)
    if as_json:
        typer.echo(json.dumps(view, indent=2))
    else:
        show(console, view)


@app.command()
def use(
    backend: str,
    role: Annotated[list[str] | None, typer.Option(help="text unless given; may be repeated")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the backend does not answer a test")] = False,
    why: Why = "use {backend}",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Let BACKEND serve from now on; the one it replaces stands in for it."""
    roles = role or ["text"]

    def step(policy: Policy) -> Policy:
        for each in roles:
            policy = transitions.use(policy, each, backend)
        return policy

    with Client(url, saved_key(data_dir)) as client:
        for each in roles:
            _check(client, each, backend, force)
        _take(client, step, why.format(backend=backend))
    if "embeddings" in roles:
        _say(
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
    """Let a candidate answer a share of the conversations; gates watch it."""
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
    """Send a share of the requests to a candidate as well, after the user's answer, and compare."""
    _try(transitions.shadow, backend, percent, role, why, url, data_dir)


@app.command()
def promote(role: ChatRole = "text", why: Why = "promoted", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Make the candidate the stable backend."""
    with Client(url, saved_key(data_dir)) as client:
        _take(client, partial(transitions.promote, role=role), why)


@app.command()
def rollback(role: ChatRole = "text", why: Why = "rolled back", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """End a canary or a shadow; where neither runs, go back to the previous stable backend."""
    with Client(url, saved_key(data_dir)) as client:
        _take(client, partial(transitions.rollback, role=role), why)


@app.command()
def halt(why: Why = "emergency stop", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Stop all generation, text and vision: new requests get a clear 503, running ones end as cancelled."""
    with Client(url, saved_key(data_dir)) as client:
        _take(client, lambda policy: transitions.halt(policy, transitions.chat_roles(policy)), why)


@app.command()
def resume(why: Why = "resumed", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Undo `halt`."""
    with Client(url, saved_key(data_dir)) as client:
        _take(client, lambda policy: transitions.resume(policy, transitions.chat_roles(policy)), why)


@app.command()
def gates(
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=NUMBER, or NAME=none; may be repeated; none shows them")
    ] = None,
    why: Why = "gates set: {set}",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Show or set what a candidate must hold to stay."""
    changes = dict(map(_gate, set_ or []))
    with Client(url, saved_key(data_dir)) as client:
        if changes:
            _take(client, partial(transitions.gates, changes=changes), why.format(set=" ".join(set_ or [])))
        for name, limit in read(client)["policy"]["gates"].items():
            console.print(f"  {escape(name):<28} {'–' if limit is None else format(limit, 'g')}", highlight=False)


@app.command()
def audit(limit: int = 20, url: Url = URL, data_dir: DataDir = DATA) -> None:
    """List the last changes: who, when, why, and what they changed."""
    from switchyard.showing import audit_table

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
        chosen = backend or transitions.default_candidate(view["policy"], role, view["backends"])
        _take(client, lambda policy: make(policy, role, chosen, percent), why.format(percent=percent))


def _check(client: Client, role: str, backend: str, force: bool) -> None:
    try:
        found: dict[str, Any] = client.call("POST", "/rag/v1/providers/check", json={"role": role, "backend": backend})
    except StackError as error:
        if not force or error.status != 503:
            more = "; --force goes there all the same" if error.status == 503 else ""
            raise StackError(f"{backend} does not serve {role}: {error}{more}", status=error.status) from error
        _say(f"{backend} does not serve {role} now: {error}; going there all the same")
        return
    _say(f"{backend} answers for {role}: {found['model']}, {found['seconds']:.2f} s")


def _take(client: Client, step: Transition, why: str) -> None:
    before, after = change(client, step, why, _say)
    if after["revision"] == before["revision"]:
        _say(f"nothing to change: revision {before['revision']} says so already")
        return
    from switchyard.showing import differences

    for line in differences(before["policy"], after["policy"]):
        _say(line)
    followed = follow(client, after["revision"])
    for line in followed_in_words(followed, after["revision"]):
        _say(line)
    if followed.missing:
        raise typer.Exit(1)


def _gate(given: str) -> tuple[str, float | None]:
    name, _, limit = given.partition("=")
    try:
        number = None if limit == "none" else float(limit)
    except ValueError:
        raise StackError(f"--set {given}: write NAME=NUMBER or NAME=none") from None
    return name, int(number) if number is not None and number.is_integer() else number


def _say(words: str) -> None:
    console.print(escape(words), highlight=False, soft_wrap=True)
