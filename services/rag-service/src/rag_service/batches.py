"""Events in batches: what comes one by one is stored together, and none waits for the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic
from typing import TypeVar

T = TypeVar("T")


async def batched(events: AsyncGenerator[T, None], seconds: float, idle: float) -> AsyncGenerator[list[T], None]:
    """Yield the events in lists, each `seconds` after its first event at the latest; closes `events`.

    Where nothing comes for `idle` seconds, an empty list. What came before an error is yielded before it is raised.
    """
    batch: list[T] = []
    due = 0.0
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            left = max(0.0, due - monotonic()) if batch else idle
            if (await asyncio.wait({coming}, timeout=left))[0]:
                try:
                    event = coming.result()
                except StopAsyncIteration:
                    break
                except Exception:
                    if batch:
                        yield batch
                    raise
                if not batch:
                    due = monotonic() + seconds
                batch.append(event)
                coming = asyncio.ensure_future(anext(events))
            if not batch or monotonic() >= due:
                yield batch
                batch = []
        if batch:
            yield batch
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await coming
        await events.aclose()
