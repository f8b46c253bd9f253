"""Serve an app with uvicorn; open requests get a bounded time to finish, and logs are structured.

Logs never hold document text, questions or keys.
"""

from __future__ import annotations

import logging
import math
import os
import resource
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvicorn
from starlette.types import ASGIApp
from structlog.types import EventDict, Processor

from llm_providers.errors import ProviderError
from llm_providers.settings import SettingsError
from service_kit.connections import BoundedHead
from service_kit.context import request_id
from service_kit.settings import InvalidSettings, ServiceSettings, load

_OPEN_FILES = 8192


def _add_request_id(_: Any, __: str, event: EventDict) -> EventDict:
    if current := request_id():
        event["request_id"] = current
    return event


def configure(settings: ServiceSettings) -> None:
    """Send our own log records and those of libraries through one formatter."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("httpx", "httpx2", "httpcore", "httpcore2", "uvicorn.access", "dbos", "alembic", "chromadb", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def server(app: ASGIApp, settings: ServiceSettings, *, host: str, port: int) -> uvicorn.Server:
    """Make a server for `app`; the log is ours, and SIGTERM ends it within `shutdown_grace_seconds`."""
    configure(settings)
    _allow_open_files()
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=BoundedHead,
            log_config=None,
            access_log=False,
            server_header=False,
            # The app does it, for TRUSTED_PROXIES only.
            proxy_headers=False,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_seconds),
            timeout_keep_alive=30,
        )
    )


def _allow_open_files() -> None:
    """Let this process have as many files and connections open as the system grants; many shells begin with 256 or 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def require_writable(folder: Path) -> None:
    """Raise `InvalidSettings` unless files can be made in `folder`, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise InvalidSettings(f"DATA_DIR: {folder} cannot be written: {error.strerror}") from error


def keep_private(folder: Path) -> None:
    """Let only its own user see what this process will make from now on, and `folder` with what is directly in it.

    A read-only volume stays as it is.
    """
    os.umask(0o077)
    for path in (folder, *folder.iterdir()):
        found = path.lstat()
        if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode):
            continue
        if not os.statvfs(path).f_flag & os.ST_RDONLY:
            path.chmod(stat.S_IMODE(found.st_mode) & 0o700)


S = TypeVar("S", bound=ServiceSettings)


def main(create: Callable[[S], ASGIApp], settings_class: type[S], port: int) -> None:
    """Run one service, on `port` unless PORT says otherwise; a wrong setting ends it with a sentence that names the variable."""
    try:
        settings = load(settings_class)
        require_writable(settings.data_dir)
        keep_private(settings.data_dir)
        app = create(settings)
    except (InvalidSettings, SettingsError, ProviderError) as error:
        sys.exit(f"{settings_class.__module__.split('.')[0]}: {error}")
    server(app, settings, host=settings.host, port=settings.port or port).run()
