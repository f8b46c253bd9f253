"""Synchronous calls of asynchronous providers, from code that has no event loop or whose own is running."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

if TYPE_CHECKING:
    from llm_providers.providers import Providers


T = TypeVar("T")


class Portal:
    """One event loop in a thread of its own, with the providers opened again on it: connections belong to the loop that uses them.

    Both are made by the first call, and last until `close`.
    """

    def __init__(self, open_: Callable[[], Awaitable[Providers]]) -> None:
        self._open = open_
        self._lock = threading.Lock()
        self._running: tuple[ExitStack, BlockingPortal, Providers] | None = None

    def call(self, function: Callable[[Providers], Awaitable[T]]) -> T:
        """Await `function` on the portal's loop while the caller waits; raises what it raises."""
        with self._lock:
            if self._running is None:
                stack = ExitStack()
                portal = stack.enter_context(start_blocking_portal(name="llm-providers"))
                self._running = stack, portal, portal.call(self._open)
        _, portal, opened = self._running
        return portal.call(function, opened)

    def close(self) -> None:
        """End the loop and close the object on it; may be called twice."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            stack, portal, opened = running
            with stack:
                portal.call(opened.aclose)
