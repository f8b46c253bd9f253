"""Serve an app with uvicorn; open requests get a bounded time to finish."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp

from llm_providers.errors import ProviderError
from llm_providers.settings import SettingsError
from service_kit.logs import configure
from service_kit.settings import InvalidSettings, ServiceSettings, load


def server(app: ASGIApp, settings: ServiceSettings, *, host: str, port: int) -> uvicorn.Server:
    """Make a server for `app`; the log is ours, and SIGTERM ends it within `shutdown_grace_seconds`."""
    configure(settings)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_seconds),
            timeout_keep_alive=30,
        )
    )


def require_writable(folder: Path) -> None:
    """Raise `InvalidSettings` unless files can be made in `folder`, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise InvalidSettings(f"DATA_DIR: {folder} cannot be written: {error.strerror}") from error


S = TypeVar("S", bound=ServiceSettings)


def main(create: Callable[[S], ASGIApp], settings_class: type[S], port: int) -> None:
    """Run one service, on `port` unless PORT says otherwise; a wrong setting ends it with a sentence that names the variable."""
    try:
        settings = load(settings_class)
        require_writable(settings.data_dir)
        app = create(settings)
    except (InvalidSettings, SettingsError, ProviderError) as error:
        sys.exit(f"{settings_class.__module__.split('.')[0]}: {error}")
    server(app, settings, host=settings.host, port=settings.port or port).run()
