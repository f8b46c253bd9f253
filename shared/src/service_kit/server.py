"""Serve an app with uvicorn; open requests get a bounded time to finish."""

from __future__ import annotations

import math

import uvicorn
from starlette.types import ASGIApp

from service_kit.logs import configure
from service_kit.settings import ServiceSettings


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
