"""Mirrors a mounted folder into the collections of a rag-service beside it: `python -m service_kit.folders`."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from threading import Event

import httpx2
import structlog
from pydantic import Field

from service_kit.folders.inbox import collection_of
from service_kit.folders.mirror import Mirror
from service_kit.folders.remote import Remote
from service_kit.folders.watching import follow
from service_kit.keys import KeyStore
from service_kit.server import configure
from service_kit.settings import ServiceSettings, load

log = structlog.get_logger("inbox")
_ALIVE = Path(tempfile.gettempdir()) / "inbox-alive"
"""A file whose time says when the inbox was last equal to the collections, or on its way there: for the health check."""


class InboxSettings(ServiceSettings):
    """Settings of the inbox."""

    inbox_dir: Path = Field(Path("/inbox"), description="The folder that is mirrored")
    inbox_collection: str = Field("", description="Collection of all its files; without, that of their first folder")
    inbox_seconds: float = Field(
        30, ge=1, description="How often the folder is looked at, besides at each change that the system tells of"
    )
    inbox_max_deletes: int | None = Field(
        None, ge=0, description="Most documents deleted at once; without, ten or a fifth of them"
    )
    rag_service_url: str = Field("http://localhost:8001", description="Where the rag-service listens")


def main() -> None:
    """Mirror until SIGTERM."""
    settings = load(InboxSettings)
    configure(settings)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    token = KeyStore(settings.data_dir / "auth").service_token()
    with httpx2.Client(
        base_url=settings.rag_service_url, headers={"Authorization": f"Bearer {token}"}, timeout=300
    ) as http:
        remote = Remote(http)
        one = settings.inbox_collection
        mirror = Mirror(
            settings.inbox_dir,
            remote,
            "inbox",
            lambda name: collection_of(name, one),
            remote.collections,
            lambda words: log.info("inbox", what=words),
            settings.inbox_max_deletes,
        )
        follow(mirror, settings.inbox_seconds, stop, _ALIVE.touch)


if __name__ == "__main__":
    main()
