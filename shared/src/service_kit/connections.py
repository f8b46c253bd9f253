"""HTTP connections of strangers: how long the head of a request may take, and how large it may be.

uvicorn limits only how long a connection is idle after an answer
(https://www.uvicorn.org/settings/#timeouts); without a proxy in front, a few slow senders would hold all connections.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 15
HEAD_BYTES = 65_536

_Protocol: Any = AutoHTTPProtocol


class BoundedHead(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol; a connection on which no request begins in time, or within `HEAD_BYTES`, is closed.

    So is one whose request was answered before its body had come, and never comes.
    """

    head_seconds: float = HEAD_SECONDS
    _waiting: asyncio.TimerHandle | None = None
    _bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._await_request(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._bytes = 0
        elif before is None or (before.response_complete and not before.more_body):
            self._bytes += len(data)
            if self._bytes > HEAD_BYTES:
                self.transport.close()

    def on_response_complete(self) -> None:
        self._await_request(self.timeout_keep_alive + self.head_seconds)
        super().on_response_complete()

    def _await_request(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._give_up, self.cycle)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self, last: object) -> None:
        # A pipelined request may have begun before the one in front of it was answered.
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()
