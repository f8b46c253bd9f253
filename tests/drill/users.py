"""Users who ask questions and record exactly what they receive and when."""

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
class Answer:
    """One streamed answer; times on the monotonic clock."""

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
    def corrupt(self) -> bool:
        """Whether the pieces are not as many characters as the `done` event counts."""
        return not self.failed and len(self.text) != self.done["streamed"]

    @property
    def backend(self) -> str:
        return str(self.done.get("provider", ""))

    @property
    def seconds(self) -> float:
        return self.ended - self.started


async def ask(session: aiohttp.ClientSession, url: str, question: str, answer: Answer, max_tokens: int) -> None:
    """Ask `/v1/query` and read its events to the end."""
    # A model of random weights goes round in loops at a low temperature, and is stopped.
    body = {"question": question, "max_tokens": max_tokens, "temperature": 1.5}
    try:
        async with session.post(f"{url}/v1/query", json=body, headers={"Accept": "text/event-stream"}) as response:
            if response.status != 200:
                answer.error = f"{response.status} {(await response.text())[:200]}"
                return
            reader = EventReader()
            async for chunk in response.content.iter_any():
                for name, data in reader.feed(chunk):
                    _note(answer, name, json.loads(data))
    except aiohttp.ClientError as error:
        answer.error = f"{type(error).__name__}: {error}"
    finally:
        answer.ended = monotonic()


def _note(answer: Answer, name: str, data: dict[str, Any]) -> None:
    if name == "token":
        answer.pieces.append((monotonic(), data["text"]))
    elif name == "failover":
        answer.failovers.append((len(answer.pieces), data))
    elif name in TERMINAL:
        answer.ends.append(name)
        answer.done = data if name == "done" else answer.done
        answer.error = "" if name == "done" else f"{name}: {data.get('detail')}"


class Users:
    """Concurrent users, each of whom asks again as soon as an answer has ended, until `stop`."""

    def __init__(self, urls: list[str], users: int, max_tokens: int, headers: dict[str, str] = HEADERS) -> None:
        self._urls, self._users, self._max_tokens, self._headers = urls, users, max_tokens, headers
        self._stop = asyncio.Event()
        self.answers: list[Answer] = []

    async def run(self, rounds: int | None = None) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=180)
        async with aiohttp.ClientSession(headers=self._headers, connector=connector, timeout=timeout) as session:
            await asyncio.gather(*[self._user(session, number, rounds) for number in range(self._users)])

    def stop(self) -> None:
        """Let each user finish the current answer."""
        self._stop.set()

    @property
    def reading(self) -> list[Answer]:
        """The answers that are being streamed."""
        return [answer for answer in self.answers if answer.pieces and not answer.ended]

    async def until(self, what: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait; raises RuntimeError that says how far the answers are if it takes too long."""
        end = monotonic() + seconds
        while not what():
            if monotonic() > end:
                far = sorted(len(answer.pieces) for answer in self.answers)
                ended = [(answer.backend, answer.error[:200]) for answer in self.answers if answer.ended]
                raise RuntimeError(f"pieces of {len(far)} answers: {far}; ended: {ended}")
            await asyncio.sleep(0.01)

    async def _user(self, session: aiohttp.ClientSession, number: int, rounds: int | None) -> None:
        url, asked = self._urls[number % len(self._urls)], 0
        while not self._stop.is_set() and (rounds is None or asked < rounds):
            answer = Answer(monotonic())
            self.answers.append(answer)
            await ask(
                session, url, f"When does ferry number {number} leave, asked {asked} times?", answer, self._max_tokens
            )
            asked += 1
            if answer.error:
                # After an error users wait a moment.
                await asyncio.sleep(0.2)


@asynccontextmanager
async def concurrent_users(
    urls: list[str], users: int, max_tokens: int = 60, headers: dict[str, str] = HEADERS
) -> AsyncIterator[Users]:
    """Users who ask during the block, and finish after it."""
    users = Users(urls, users, max_tokens, headers)
    task = asyncio.create_task(users.run())
    try:
        yield users
    finally:
        users.stop()
        await task


def count_failures(answers: list[Answer]) -> tuple[int, int]:
    """Return how many failed, and how many were corrupt."""
    return sum(answer.failed for answer in answers), sum(answer.corrupt for answer in answers)
