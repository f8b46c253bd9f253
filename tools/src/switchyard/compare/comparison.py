"""A comparison from the first question to one document with everything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from switchyard.client import Client, StackError
from switchyard.compare import gpu
from switchyard.compare.answer import Answer
from switchyard.compare.environment import doubts, here, inequalities, repeats
from switchyard.compare.figures import figures
from switchyard.compare.load import Level, Setting, run
from switchyard.compare.quality import Pair, mean, pairs, quality, with_cosines
from switchyard.compare.questions import ComparedQuestion, load
from switchyard.output import console
from switchyard.policy import not_serving, read

ROLE = "text"


@dataclass(slots=True)
class Measured:
    """The questions and the answers; `complete` unless it was interrupted."""

    setting: Setting
    questions: Sequence[ComparedQuestion]
    environment: dict[str, Any]
    levels: list[Level] = field(default_factory=list)
    gpus: gpu.Watch = field(default_factory=gpu.Watch)
    complete: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(UTC))


def compare(setting: Setting, questions: Path) -> dict[str, Any]:
    """Compare now, by a file of questions, and return the document; raises `StackError` if that is not possible."""
    if setting.backends[0] == setting.backends[1]:
        raise StackError("compare two different backends")
    loaded = load(questions)
    with Client(setting.url, setting.key) as client:
        view = read(client)
        for name in setting.backends:
            if words := not_serving(view, ROLE, name):
                raise StackError(words)
        environment = client.call("GET", "/rag/v1/providers/environment")
    measured = measure(setting, loaded, environment)
    return document(measured, with_cosines(pairs(loaded, measured.levels, *setting.backends)))


def measure(setting: Setting, questions: Sequence[ComparedQuestion], environment: dict[str, Any]) -> Measured:
    """Ask all questions, with a bar per level and backend; Ctrl-C ends it and keeps the results so far."""
    measured = Measured(setting, questions, environment)
    bars: dict[int, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        gpu.watch() as measured.gpus,
        Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as progress,
    ):

        def tick(level: Level, answer: Answer) -> None:
            if id(level) not in bars:
                words = f"{escape(level.backend)}, {level.users} at once"
                bars[id(level)] = progress.add_task(words, total=setting.requests(level.users), note="")
            failed = sum(not each.ok for each in level.answers)
            note = f"[red]{failed} failed[/red]" if failed else ""
            progress.update(bars[id(level)], completed=len(level.answers), note=note)

        try:
            asyncio.run(run(setting, questions, measured.levels, tick))
            measured.complete = True
        except KeyboardInterrupt:
            progress.console.print("interrupted: the results so far are kept")
    return measured


def document(measured: Measured, compared: Sequence[Pair]) -> dict[str, Any]:
    """Return everything as JSON takes it; `compared` are the answers side by side."""
    a, b = measured.setting.backends
    answers = {
        name: [
            (measured.questions[answer.question], answer)
            for level in measured.levels
            if level.backend == name
            for answer in level.answers
            if answer.ok
        ]
        for name in (a, b)
    }
    return {
        "version": 1,
        "complete": measured.complete,
        "began": measured.began.isoformat(),
        "took_seconds": (datetime.now(UTC) - measured.began).total_seconds(),
        "a": a,
        "b": b,
        "users": list(measured.setting.users),
        "collection": measured.setting.collection,
        "max_tokens": measured.setting.max_tokens,
        "questions": len(measured.questions),
        "environment": {"backends": measured.environment, "client": here()},
        "warnings": [
            *inequalities(a, b, measured.environment),
            *doubts(a, b, measured.levels),
            *repeats(len(measured.questions), measured.levels),
        ],
        "levels": [
            figures(level) | {"gpus": measured.gpus.between(level.began, level.ended)}
            for level in sorted(measured.levels, key=lambda level: (level.users, level.backend != a))
            if level.answers
        ],
        "quality": {name: quality(name, answered) for name, answered in answers.items()},
        "agreement": _agreement(compared),
        "answers": [
            asdict(pair) | {"question": pair.question.text, "gold": list(pair.question.gold)} for pair in compared
        ],
        "failures": _failures(measured.levels),
    }


def _agreement(compared: Sequence[Pair]) -> dict[str, Any]:
    return {
        "pairs": len(compared),
        "likeness": mean(pair.likeness for pair in compared),
        "cosine": mean(pair.cosine for pair in compared),
        "citation_overlap": mean(pair.citation_overlap for pair in compared),
        "both_or_neither_answered": mean(pair.a.answered == pair.b.answered for pair in compared),
    }


def _failures(levels: Sequence[Level]) -> list[dict[str, Any]]:
    """Return one example of each kind of failure per backend, with its own message."""
    examples: dict[tuple[str, str], dict[str, Any]] = {}
    for level in levels:
        for answer in level.answers:
            if answer.error is not None:
                key = (level.backend, answer.error)
                example = {"backend": key[0], "error": key[1], "detail": answer.detail, "users": level.users}
                examples.setdefault(key, example)
    return list(examples.values())
