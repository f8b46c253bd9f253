"""Users who ask and read the stream, and write down exactly what they saw and when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import aiohttp

from drill.processes import HEADERS
from service_kit.sse import EventReader

TERMINAL = ("done", "error", "cancelled")


@dataclass
class Seen:
    """One answer as its reader saw it; times on the monotonic clock."""

    started: float
    pieces: list[tuple[float, str]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)
    failovers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    error: str = ""
    ended: float = 0.0

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)

    @property
    def failed(self) -> bool:
        return bool(self.error) or self.ends != ["done"]

    @property
    def torn(self) -> bool:
        """Whether the pieces are not the text that the service says it sent."""
        return not self.failed and self.text != self.done["text"]

    @property
    def backend(self) -> str:
        return str(self.done.get("provider", ""))

    @property
    def seconds(self) -> float:
        return self.ended - self.started


async def ask(session: aiohttp.ClientSession, url: str, question: str, seen: Seen, max_tokens: int) -> None:
    """Ask `/v1/query` and read its events to the end."""
    body = {"question": question, "max_tokens": max_tokens}
    try:
        async with session.post(f"{url}/v1/query", json=body, headers={"Accept": "text/event-stream"}) as answer:
            if answer.status != 200:
                seen.error = f"{answer.status} {(await answer.text())[:200]}"
                return
            reader = EventReader()
            async for chunk in answer.content.iter_any():
                for name, data in reader.feed(chunk):
                    _note(seen, name, json.loads(data))
    except aiohttp.ClientError as error:
        seen.error = f"{type(error).__name__}: {error}"
    finally:
        seen.ended = monotonic()


def _note(seen: Seen, name: str, data: dict[str, Any]) -> None:
    if name == "token":
        seen.pieces.append((monotonic(), data["text"]))
    elif name == "failover":
        seen.failovers.append((len(seen.pieces), data))
    elif name in TERMINAL:
        seen.ends.append(name)
        seen.done = data if name == "done" else seen.done
        seen.error = "" if name == "done" else f"{name}: {data.get('detail')}"


class Crowd:
    """So many users, each asking again as soon as the last answer has ended, until told to stop."""

    def __init__(self, urls: list[str], users: int, max_tokens: int, headers: dict[str, str] = HEADERS) -> None:
        self._urls, self._users, self._max_tokens, self._headers = urls, users, max_tokens, headers
        self._stop = asyncio.Event()
        self.answers: list[Seen] = []

    async def run(self, rounds: int | None = None) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=180)
        async with aiohttp.ClientSession(headers=self._headers, connector=connector, timeout=timeout) as session:
            await asyncio.gather(*[self._user(session, number, rounds) for number in range(self._users)])

    def stop(self) -> None:
        """Let each finish what it is reading."""
        self._stop.set()

    @property
    def reading(self) -> list[Seen]:
        """The answers that are flowing now."""
        return [seen for seen in self.answers if seen.pieces and not seen.ended]

    async def until(self, what: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait; raises RuntimeError that says how far the answers are if it takes too long."""
        end = monotonic() + seconds
        while not what():
            if monotonic() > end:
                far = sorted(len(seen.pieces) for seen in self.answers)
                ended = [(seen.backend, seen.error[:200]) for seen in self.answers if seen.ended]
                raise RuntimeError(f"pieces of {len(far)} answers: {far}; ended: {ended}")
            await asyncio.sleep(0.01)

    async def _user(self, session: aiohttp.ClientSession, number: int, rounds: int | None) -> None:
        url, asked = self._urls[number % len(self._urls)], 0
        while not self._stop.is_set() and (rounds is None or asked < rounds):
            seen = Seen(monotonic())
            self.answers.append(seen)
            await ask(
                session, url, f"When does ferry number {number} leave, asked {asked} times?", seen, self._max_tokens
            )
            asked += 1
            if seen.error:
                # Nobody hammers at a service that has just refused.
                await asyncio.sleep(0.2)


@asynccontextmanager
async def crowd(
    urls: list[str], users: int, max_tokens: int = 60, headers: dict[str, str] = HEADERS
) -> AsyncIterator[Crowd]:
    """A crowd that asks while the block runs, and finishes after it."""
    people = Crowd(urls, users, max_tokens, headers)
    task = asyncio.create_task(people.run())
    try:
        yield people
    finally:
        people.stop()
        await task


def faults(answers: list[Seen]) -> tuple[int, int]:
    """How many failed, and how many were torn."""
    return sum(seen.failed for seen in answers), sum(seen.torn for seen in answers)
