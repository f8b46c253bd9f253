"""When each key was last used, by about a minute: noted in memory, and written by a task of each service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from llm_providers.files import SharedFile

log = structlog.get_logger(__name__)
_SECONDS = 30.0
_USES = TypeAdapter(dict[str, datetime])


class KeyUses:
    """The last use of the keys, shared by all services through the folder of the keys."""

    def __init__(self, folder: Path) -> None:
        self._file = SharedFile(folder / "key-uses.json", 0o600)
        self._noted: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        self._noted[key_id] = datetime.now(UTC)

    def all(self) -> dict[str, datetime]:
        """Return what all services have written and this process has noted; blocks."""
        return self._latest(self._stored(), self._noted)

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None, None]:
        """Write what was noted twice a minute during the block, and at its end."""
        writing = asyncio.create_task(self._write_repeatedly())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await asyncio.to_thread(self._write)

    async def _write_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            with self._file.locked():
                self._file.write(_USES.dump_json(self._latest(self._stored(), noted)).decode())
        except OSError as error:
            # The folder may be read-only here; nothing depends on it.
            log.info("the last use of keys is not recorded", error=error.strerror)

    def _stored(self) -> dict[str, datetime]:
        try:
            return _USES.validate_json(self._file.read())
        except (FileNotFoundError, ValidationError):
            return {}

    @staticmethod
    def _latest(one: dict[str, datetime], other: dict[str, datetime]) -> dict[str, datetime]:
        early = datetime.min.replace(tzinfo=UTC)
        return {key: max(one.get(key, early), other.get(key, early)) for key in one.keys() | other.keys()}
