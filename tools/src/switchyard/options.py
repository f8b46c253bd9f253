"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from switchyard import installation

DATA, URL = installation.DATA, "http://127.0.0.1:8080"


def _url(context: typer.Context, value: str) -> str:
    """Return the address that was given; else that of the all-in-one process that runs on the data folder."""
    if not is_default(context, "url"):
        return value
    folder = None if is_default(context, "data_dir") else context.params.get("data_dir")
    found = installation.running([folder] if folder else installation.FOLDERS)
    return found.url if found else value


def _data_dir(context: typer.Context, value: Path) -> Path:
    """Return the folder that was given; else that of the all-in-one process that answers at the address."""
    if not is_default(context, "data_dir"):
        return value
    found = installation.running()
    url = None if is_default(context, "url") else context.params.get("url")
    return found.folder if found and url in (None, found.url) else value


def is_default(context: typer.Context, name: str) -> bool:
    """Return whether an option was given neither on the command line nor by the environment."""
    source = context.get_parameter_source(name)
    return source is None or source.name == "DEFAULT"


Folder = Annotated[Path, typer.Option("--data-dir", envvar="DATA_DIR", help="Folder with the data")]
DataDir = Annotated[
    Path,
    typer.Option(
        envvar="DATA_DIR", callback=_data_dir, help="Folder with the data; that of the running process if not given"
    ),
]
Url = Annotated[
    str,
    typer.Option(
        envvar="SWITCHYARD_URL",
        callback=_url,
        help="Address of the stack; that of the process on the data folder if not given",
    ),
]
Port = Annotated[int, typer.Option(envvar="PORT", help="Port to listen on")]
Why = Annotated[str, typer.Option(help="The reason, for the audit log")]
ChatRole = Annotated[str, typer.Option("--role", help="text or vision")]


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
