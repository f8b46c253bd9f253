"""Answers under load: users who ask without a pause, in steps of more and more of them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rich.console import Console

from switchyard.client import Client, StackError
from switchyard_benchmarks.measurements import Measurements, percentiles
from switchyard_benchmarks.target import Target
from switchyard_benchmarks.texts import WORDS, by_frequency


@dataclass(slots=True)
class Step:
    """What some users met in some seconds; times are in seconds, `errors` are counted by their words."""

    users: int
    seconds: float = 0.0
    answers: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def row(self) -> dict[str, object]:
        first = percentiles(self.first_tokens)
        return {
            "users": self.users,
            "answers": len(self.answers),
            "errors": self.errors.total(),
            **percentiles(self.answers),
            **{f"first_token_{name}": value for name, value in first.items()},
            "answers_per_s": round(len(self.answers) / self.seconds, 2),
            "tokens_per_s": round(self.tokens / self.seconds, 1),
        }


def load(
    console: Console, stack: Target, collection: str, questions: Sequence[str], steps: Sequence[int], seconds: float
) -> Measurements:
    """Ask `questions` for `seconds` in each step (what is under way then is waited for), with so many users at once."""
    found = Measurements(
        "Answers under load",
        {"url": stack.url, "collection": collection, "seconds a step": seconds},
        plots=[("users", ("p50_ms", "p95_ms", "p99_ms")), ("users", ("first_token_p50_ms", "first_token_p99_ms"))],
    )
    for users in steps:
        with console.status(f"{users} users, {seconds:.0f} s"):
            step = _step(stack.client, collection, questions, users, seconds)
        found.rows.append(step.row())
        for words, count in step.errors.most_common(3):
            console.print(f"  {users} users: {count} times {words}", markup=False)
    return found


def _step(client: Callable[[], Client], collection: str, questions: Sequence[str], users: int, seconds: float) -> Step:
    step = Step(users)
    began = time.monotonic()

    def user(number: int) -> None:
        asked = number
        with client() as own:
            while time.monotonic() < began + seconds:
                _ask(own, collection, questions[asked % len(questions)], step)
                asked += users

    with ThreadPoolExecutor(users) as pool:
        list(pool.map(user, range(users)))
    step.seconds = time.monotonic() - began
    return step


def _ask(client: Client, collection: str, question: str, step: Step) -> None:
    began, first, done = time.monotonic(), None, False
    try:
        for event, data in client.events(
            "POST", "/rag/v1/query", json={"question": question, "collection": collection}
        ):
            if event == "token" and first is None:
                first = time.monotonic() - began
            elif event == "error":
                raise StackError(str(data.get("detail", "error")))
            elif event == "done":
                done = True
                step.tokens += data["usage"]["completion_tokens"]
        if not done:
            raise StackError("the answer was cut off")
    except StackError as error:
        step.errors[str(error)[:200]] += 1
        # A stack that refuses is not to be asked as fast as it can refuse.
        time.sleep(0.2)
        return
    step.answers.append(time.monotonic() - began)
    if first is not None:
        step.first_tokens.append(first)


def random_questions(count: int, *, by_their_frequency: bool = False) -> Iterator[str]:
    """Return questions of random words, the same in every run; of those of a synthetic collection if `by_their_frequency`."""
    dice = random.Random(11)  # noqa: S311
    draw = by_frequency(dice, asking=True) if by_their_frequency else lambda number: dice.choices(WORDS, k=number)
    for _ in range(count):
        yield f"What does the {' '.join(draw(7))} mean?"
