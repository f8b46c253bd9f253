"""Taking a step of the policy from the command line, and saying what came of it."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from switchyard.client import Client, StackError
from switchyard.following import change, follow, followed_in_words
from switchyard.transitions import Transition

console = Console()

_UNKNOWN = "provider-not-configured"


def check(client: Client, role: str, backend: str, force: bool) -> None:
    """Let `backend` do real work once; raises `StackError` if it can't, unless `force` and it is only down."""
    try:
        found: dict[str, Any] = client.call("POST", "/rag/v1/providers/check", json={"role": role, "backend": backend})
    except StackError as error:
        if error.kind == _UNKNOWN:
            # It says all there is to say; the server would refuse the step as well.
            raise
        if not force or error.status != 503:
            more = "; --force goes there all the same" if error.status == 503 else ""
            raise StackError(f"{backend} does not serve {role}: {error}{more}", status=error.status) from error
        say(f"{backend} does not serve {role} now: {error}; going there all the same")
        return
    say(f"{backend} answers for {role}: {found['model']}, {found['seconds']:.2f} s")


def take(client: Client, step: Transition, why: str) -> None:
    """Take a step and wait until every service has it; raises `typer.Exit` if one does not follow."""
    before, after = change(client, step, why, say)
    if after["revision"] == before["revision"]:
        say(f"nothing to change: revision {before['revision']} says so already")
        return
    from switchyard.showing import differences

    for line in differences(before["policy"], after["policy"]):
        say(line)
    followed = follow(client, after["revision"])
    for line in followed_in_words(followed, after["revision"]):
        say(line)
    if followed.missing:
        raise typer.Exit(1)


def say(words: str) -> None:
    """Print a line as it is."""
    console.print(escape(words), highlight=False, soft_wrap=True)
