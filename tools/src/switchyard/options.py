"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path, typer.Option(envvar="DATA_DIR", help="Where the data lie")]
Url = Annotated[str, typer.Option(envvar="SWITCHYARD_URL", help="Where the stack listens")]
Port = Annotated[int, typer.Option(help="Port to listen on")]
Why = Annotated[str, typer.Option(help="The reason, for the audit")]
ChatRole = Annotated[str, typer.Option("--role", help="text or vision")]
DATA, URL = Path("data"), "http://127.0.0.1:8080"


class OnBreak(StrEnum):
    """What becomes of an answer whose backend fails in mid-stream."""

    CONTINUE = "continue"
    RESTART = "restart"
    FAIL = "fail"


def repeated(context: typer.Context, wanted: Callable[[str], bool]) -> str:
    """Return the command as it was typed, in a shell's words: its `wanted` options as far as they are not the defaults."""
    words = ["switchyard", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        if value is None or not wanted(name) or value == parameter.default or str(value) == str(parameter.default):
            continue
        written = f"{value:g}" if isinstance(value, float) else str(value)
        words += [parameter.opts[0]] if value is True else [parameter.opts[0], written]
    return shlex.join(words)
