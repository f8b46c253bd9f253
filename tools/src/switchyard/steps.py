"""Changes of the policy from the command line, with their output."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from switchyard.client import Client, StackError
from switchyard.policy import change, follow, followed_in_words
from switchyard.transitions import Transition

console = Console()

_UNKNOWN = "provider-not-configured"


def check(client: Client, role: str, backend: str, force: bool) -> None:
    """Send a test request to `backend`; raises `StackError` if it fails, unless `force` is set and the backend is only down."""
    try:
        answer: dict[str, Any] = client.call("POST", "/rag/v1/providers/check", json={"role": role, "backend": backend})
    except StackError as error:
        if error.kind == _UNKNOWN:
            # The server would refuse the step as well.
            raise
        if not force or error.status != 503:
            more = "; --force switches anyway" if error.status == 503 else ""
            raise StackError(f"{backend} does not serve {role}: {error}{more}", status=error.status) from error
        say(f"{backend} does not serve {role} now: {error}; switching anyway")
        return
    say(f"{backend} answers for {role}: {answer['model']}, {answer['seconds']:.2f} s")


def take(client: Client, step: Transition, why: str) -> None:
    """Take a step and wait until every service applies it; raises `typer.Exit` if one does not."""
    before, after = change(client, step, why, say)
    if after["revision"] == before["revision"]:
        say(f"nothing to change: this is revision {before['revision']} already")
        return
    from switchyard.tables import differences

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
