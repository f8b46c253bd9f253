"""Results of an evaluation as a file: each question's rank or answer, and two of them compared."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from switchyard.client import StackError

_ROUNDS = 2000
_SHOWN = 20


class Result(BaseModel):
    """What one question came to: figures by name, from 0 to 1, and what a reader wants to see of it."""

    qid: str
    question: str
    figures: dict[str, float]
    details: dict[str, Any] = {}


class Evaluation(BaseModel):
    """All questions of a set, and how they were asked."""

    kind: str
    name: str
    results: list[Result]
    seconds_per_question: float

    def means(self) -> dict[str, float]:
        """Return the mean of each figure over the questions that have it."""
        names = dict.fromkeys(name for result in self.results for name in result.figures)
        return {name: _mean([r.figures[name] for r in self.results if name in r.figures]) for name in names}

    def write(self, path: Path | None) -> None:
        if path is not None:
            path.write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read what `write` wrote; raises `StackError`."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise StackError(f"{path}: {error.strerror}") from error
        except ValidationError as error:
            raise StackError(f"{path} was not written by `switchyard eval … --json`") from error


def ranking_figures(rank: int | None) -> dict[str, float]:
    """Return the reciprocal rank, hits at 1 and 3, and the discounted gain of a first relevant passage at `rank`."""
    return {
        "MRR@10": 1 / rank if rank else 0.0,
        "P@1": float(rank == 1),
        "R@3": float(rank is not None and rank <= 3),
        "nDCG@10": 1 / math.log2(rank + 1) if rank else 0.0,
    }


def show(console: Console, evaluations: Sequence[Evaluation]) -> None:
    """Print a row of means for each evaluation."""
    names = dict.fromkeys(name for evaluation in evaluations for name in evaluation.means())
    table = Table("set", "questions", *names, "s/question")
    for evaluation in evaluations:
        means = evaluation.means()
        figures = (f"{means[name]:.3f}" if name in means else "–" for name in names)
        table.add_row(evaluation.name, str(len(evaluation.results)), *figures, f"{evaluation.seconds_per_question:.2f}")
    console.print(table)


def compare(console: Console, a: Evaluation, b: Evaluation) -> None:
    """Print both means of each figure, the difference with its 95 % interval, and the questions that changed most.

    The interval is that of a paired bootstrap over the questions, https://aclanthology.org/W04-3250/. Raises `StackError`
    where the two have no question in common.
    """
    before, after = ({result.qid: result for result in each.results} for each in (a, b))
    common = [qid for qid in before if qid in after]
    if not common:
        raise StackError(f"{a.name} and {b.name} have no question in common")
    table = Table("figure", "before", "after", "difference", "95 % interval", title=f"{len(common)} questions")
    for name in a.means():
        pairs = [(before[q].figures[name], after[q].figures[name]) for q in common if _both(before[q], after[q], name)]
        if pairs:
            low, high = _interval([new - old for old, new in pairs])
            means = [_mean([pair[side] for pair in pairs]) for side in (0, 1)]
            columns = f"{means[0]:.3f}", f"{means[1]:.3f}", f"{means[1] - means[0]:+.3f}", f"{low:+.3f} … {high:+.3f}"
            table.add_row(name, *columns)
    console.print(table)
    changes = {qid: _change(before[qid].figures, after[qid].figures) for qid in common}
    for qid in sorted(changes, key=lambda qid: -abs(changes[qid]))[:_SHOWN]:
        if changes[qid]:
            console.print(f"{changes[qid]:+.2f}  {before[qid].question}  [dim]{qid}[/dim]")


def _change(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return how much a question's first figure changed."""
    name = next(iter(before))
    return after.get(name, 0.0) - before[name]


def _both(before: Result, after: Result, name: str) -> bool:
    return name in before.figures and name in after.figures


def _interval(differences: Sequence[float]) -> tuple[float, float]:
    dice = random.Random(13)  # noqa: S311
    means = sorted(_mean(dice.choices(differences, k=len(differences))) for _ in range(_ROUNDS))
    return means[int(0.025 * _ROUNDS)], means[int(0.975 * _ROUNDS) - 1]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines; raises `StackError`."""
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except OSError as error:
        raise StackError(f"{path}: {error.strerror}") from error
