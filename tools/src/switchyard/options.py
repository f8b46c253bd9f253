"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path, typer.Option(envvar="DATA_DIR", help="Where the data lie")]
Url = Annotated[str, typer.Option(envvar="SWITCHYARD_URL", help="Where the stack listens")]
Port = Annotated[int, typer.Option(help="Port to listen on")]
Why = Annotated[str, typer.Option(help="The reason, for the audit")]
ChatRole = Annotated[str, typer.Option("--role", help="text or vision")]
DATA, URL = Path("data"), "http://127.0.0.1:8080"
