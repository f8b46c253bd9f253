"""Load by concurrent users: levels of concurrency, each backend in turn, the same questions to both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from switchyard.client import StackError
from switchyard.compare.answer import Answer, ask
from switchyard.compare.questions import ComparedQuestion


@dataclass(frozen=True, slots=True)
class Setting:
    """What is compared, and how hard; `per_level` requests (0: twice the users, at least 20) at each number of users."""

    url: str
    key: str
    backends: tuple[str, str]
    users: tuple[int, ...]
    per_level: int = 0
    max_tokens: int | None = None
    collection: str = "default"
    timeout: float = 300.0

    def requests(self, users: int) -> int:
        return max(users, self.per_level or max(20, 2 * users))


@dataclass(slots=True)
class Level:
    """One backend under one load; `began` and `ended` on the monotonic clock, `whole` unless it was interrupted."""

    backend: str
    users: int
    answers: list[Answer] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    whole: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def levels(text: str) -> tuple[int, ...]:
    """Read numbers of users, "1,5,10", in rising order; raises `StackError`."""
    try:
        users = tuple(sorted({int(number) for number in text.split(",")}))
    except ValueError:
        users = ()
    if not users or users[0] < 1:
        raise StackError(f"--users {text}: write numbers of users, like 1,5,10")
    return users


Tick = Callable[[Level, Answer], None]


async def run(setting: Setting, questions: Sequence[ComparedQuestion], levels: list[Level], tick: Tick) -> None:
    """Fill `levels` with the results; if it is cancelled, with those so far.

    Each backend answers one question first that is not counted. At each level both get the same questions, and other
    ones than at the level before as far as there are any; which backend is first alternates, so that what warms up
    or slows down affects both.
    """
    headers = {"Authorization": f"Bearer {setting.key}"} if setting.key else {}
    connector = aiohttp.TCPConnector(limit=0)
    # Each request has its own timeout.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=30)
    async with aiohttp.ClientSession(
        f"{setting.url.rstrip('/')}/", headers=headers, connector=connector, timeout=timeout, trust_env=False
    ) as session:
        for backend in setting.backends:
            await ask(session, backend, 0, _body(setting, questions[0]), setting.timeout)
        first = 0
        for turn, users in enumerate(setting.users):
            count = setting.requests(users)
            numbers = [(first + each) % len(questions) for each in range(count)]
            first += count
            for backend in setting.backends if turn % 2 == 0 else reversed(setting.backends):
                levels.append(Level(backend, users))
                await _level(session, setting, questions, numbers, levels[-1], tick)


async def _level(
    session: aiohttp.ClientSession,
    setting: Setting,
    questions: Sequence[ComparedQuestion],
    numbers: Sequence[int],
    level: Level,
    tick: Tick,
) -> None:
    waiting = iter(numbers)

    async def user() -> None:
        for number in waiting:
            answer = await ask(session, level.backend, number, _body(setting, questions[number]), setting.timeout)
            level.answers.append(answer)
            tick(level, answer)

    level.began = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(level.users):
                group.create_task(user())
        level.whole = True
    finally:
        level.ended = time.monotonic()


def _body(setting: Setting, question: ComparedQuestion) -> dict[str, object]:
    body: dict[str, object] = {"question": question.text, "collection": setting.collection}
    return body | ({"max_tokens": setting.max_tokens} if setting.max_tokens else {})
