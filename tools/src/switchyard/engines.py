"""`switchyard engines`: the table of engines, changed while everything runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from switchyard.client import Client, StackError, saved_key
from switchyard.options import DATA, URL, ChatRole, DataDir, Url, Why
from switchyard.output import console, say
from switchyard.policy import retried

app = typer.Typer(no_args_is_help=True, help="See and change the table of engines; nothing restarts.")
_PIPED_WIDTH = 200
Engines: TypeAlias = dict[str, Any]
_OWN = ("source", "used_for")
"""Members that the server adds to an entry when it shows it."""


@app.command("list")
def list_engines(url: Url = URL, data_dir: DataDir = DATA) -> None:
    """List the engines: kind, where the entry comes from, what it is used for, and model and address per role."""
    with Client(url, saved_key(data_dir)) as client:
        view = read(client)
    table = Table("engine", "kind", "from", "used for", "role", "model", "address")
    for name, engine in view["engines"].items():
        head = [name, engine["kind"], engine["source"], ", ".join(engine["used_for"]) or "–"]
        for role, endpoint in engine["roles"].items():
            address = endpoint.get("url") or engine.get("url") or "in this process"
            table.add_row(*map(escape, [*head, role, endpoint["model"], address]))
            head = [""] * len(head)
    # Piped, addresses must not be cut off.
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)
    console.print(f"revision {view['revision']}", highlight=False)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the policy will call it")],
    kind: Annotated[str, typer.Option(help="openai (vLLM, SGLang, llama.cpp, …) or ollama")] = "openai",
    engine_url: Annotated[str, typer.Option("--engine-url", help="Where it listens")] = "",
    role: Annotated[
        list[str] | None, typer.Option(help="ROLE=MODEL or ROLE=MODEL@URL; may be repeated, e.g. text=Qwen/Qwen3-8B")
    ] = None,
    api_key_file: Annotated[str, typer.Option(help="File with its key, in the services' engine-keys or secrets")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="YAML with the whole entry, instead of the options")
    ] = None,
    why: Why = "engine added",
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Add an engine or replace one that was added, and let it do a test in each of its roles."""
    entry = _from_file(file) if file else _from_options(kind, engine_url, role or [], api_key_file)
    with Client(url, saved_key(data_dir)) as client:
        revision = change(client, lambda engines: {**engines, name: entry}, why)
        say(f"{name} is in the table, revision {revision}")
        if not _report(client, name):
            raise typer.Exit(1)


@app.command()
def remove(name: str, why: Why = "engine removed", url: Url = URL, data_dir: DataDir = DATA) -> None:
    """Remove an engine that was added; refused while the policy names it."""

    def without(engines: Engines) -> Engines:
        if name not in engines:
            raise StackError(f"{name} was not added here: `switchyard engines list` shows where it comes from")
        return {each: engine for each, engine in engines.items() if each != name}

    with Client(url, saved_key(data_dir)) as client:
        revision = change(client, without, why)
    say(f"{name} is removed, revision {revision}")


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="One engine; all of them if left out")] = None,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Let engines do a test in each of their roles, and say what runs there."""
    with Client(url, saved_key(data_dir)) as client:
        names = [name] if name else list(read(client)["engines"])
        results = [_report(client, each) for each in names]
        if not all(results):
            raise typer.Exit(1)


@app.command()
def upgrade(
    name: Annotated[str, typer.Argument(help="The engine to be replaced where it runs")],
    stand_in: Annotated[str, typer.Option("--stand-in", help="The engine that serves meanwhile")],
    command: Annotated[
        str, typer.Option(help="Command that replaces it, e.g. 'docker compose up -d vllm'; without it you are asked")
    ] = "",
    role: ChatRole = "text",
    stages: Annotated[str, typer.Option(help="Percents of the canary afterwards")] = "10,50,100",
    hold: Annotated[float, typer.Option(min=0, help="Seconds each stage lasts at least")] = 120,
    min_requests: Annotated[int, typer.Option(min=1, help="Requests it has had before a stage ends")] = 20,
    drain: Annotated[float, typer.Option(min=0, help="Longest wait for running answers, in seconds")] = 120,
    ready: Annotated[float, typer.Option(min=1, help="Longest wait for the new one, in seconds")] = 1800,
    state: Annotated[Path, typer.Option(help="Keeps how far the canary is")] = Path("data/upgrade.json"),
    out: Annotated[Path, typer.Option(help="Folder for the report")] = Path("data/reports"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    url: Url = URL,
    data_dir: DataDir = DATA,
) -> None:
    """Replace an engine in place, on a machine that can't hold both: traffic goes to another engine meanwhile.

    Traffic to the stand-in, running answers end, the command, readiness, canary, and back; a report at the end.
    """
    from switchyard.upgrade import Upgrade, run

    settings = Upgrade(name, stand_in, role, command, stages, hold, min_requests, drain, ready, state, out, yes)
    key = saved_key(data_dir)
    with Client(url, key) as client:
        if status := run(client, key, settings):
            raise typer.Exit(status)


def read(client: Client) -> dict[str, Any]:
    """Return the table as the server has it: revision and engines."""
    view: dict[str, Any] = client.call("GET", "/rag/v1/engines")
    return view


def change(client: Client, step: Callable[[Engines], Engines], why: str) -> int:
    """Apply `step` to the engines that were added, and return the new revision; once more if others were faster."""

    def attempt() -> int:
        view = read(client)
        added = {
            name: {member: value for member, value in engine.items() if member not in _OWN}
            for name, engine in view["engines"].items()
            if engine["source"] == "added"
        }
        body = {"revision": view["revision"], "why": why, "engines": step(added)}
        return int(client.call("PUT", "/rag/v1/engines", json=body)["revision"])

    return retried(attempt, say)


def _report(client: Client, name: str) -> bool:
    """Let an engine do its test, print what came of it, and return whether every role works."""
    result = client.call("POST", "/rag/v1/engines/check", json={"name": name})
    works = True
    for role, check in result["roles"].items():
        if check["ok"] is None:
            say(f"{name} {role}: {check['detail']}")
        elif check["ok"]:
            about = check.get("about") or {}
            software = " ".join(filter(None, [about.get("engine"), about.get("version")])) or check.get("detail", "")
            context = about.get("context_tokens") or "unknown (set context_tokens)"
            say(f"{name} {role}: {check['model']} answers in {check['seconds']:.2f} s; {software}, context {context}")
        else:
            works = False
            say(f"{name} {role}: {check['model']} does not answer: {check['detail']}")
    return works


def _from_options(kind: str, address: str, roles: list[str], api_key_file: str) -> dict[str, Any]:
    if not roles:
        raise StackError("say what it serves: --role text=MODEL")
    entry: dict[str, Any] = {"kind": kind, "url": address, "roles": {}}
    if api_key_file:
        entry["api_key_file"] = api_key_file
    for option in roles:
        role, equals, model = option.partition("=")
        if not (role and equals and model):
            raise StackError(f"--role {option}: write ROLE=MODEL or ROLE=MODEL@URL")
        model, at, address_rest = model.partition("@http")
        entry["roles"][role] = {"model": model, **({"url": f"http{address_rest}"} if at else {})}
    return entry


def _from_file(path: Path) -> dict[str, Any]:
    try:
        entry = yaml.safe_load(path.read_text())
    except OSError as error:
        raise StackError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise StackError(f"{path} is not YAML: {error}") from error
    if not isinstance(entry, dict):
        raise StackError(f"{path}: write the entry's members: kind, url, roles")
    return entry
