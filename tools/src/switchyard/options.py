"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path, typer.Option(envvar="DATA_DIR", help="Folder with the data")]
Url = Annotated[str, typer.Option(envvar="SWITCHYARD_URL", help="Address of the stack")]
Port = Annotated[int, typer.Option(help="Port to listen on")]
Why = Annotated[str, typer.Option(help="The reason, for the audit log")]
ChatRole = Annotated[str, typer.Option("--role", help="text or vision")]
DATA, URL = Path("data"), "http://127.0.0.1:8080"


def repeated(context: typer.Context, include: Callable[[str], bool]) -> str:
    """Return the command as it was typed, quoted for a shell: the options to `include` that are not the defaults."""
    words = ["switchyard", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        if value is None or not include(name) or value == parameter.default or str(value) == str(parameter.default):
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value)
        words += [parameter.opts[0]] if value is True else [parameter.opts[0], text]
    return shlex.join(words)
