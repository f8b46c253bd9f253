"""Results as files, and their comparison."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from switchyard.client import StackError
from switchyard_benchmarks.results import Evaluation, Result, compare, ranking_figures


def evaluation(*ranks: int | None, name: str = "squad") -> Evaluation:
    results = [
        Result(qid=f"q{number}", question=f"Question {number}?", figures=ranking_figures(rank))
        for number, rank in enumerate(ranks)
    ]
    return Evaluation(kind="retrieval", name=name, results=results, seconds_per_question=0.1)


def shown(before: Evaluation, after: Evaluation) -> str:
    console = Console(width=120, record=True, file=StringIO())
    compare(console, before, after)
    return console.export_text()


def test_figures_of_a_rank() -> None:
    assert ranking_figures(1) == {"MRR@10": 1.0, "P@1": 1.0, "R@3": 1.0, "nDCG@10": 1.0}
    assert ranking_figures(4)["MRR@10"] == 0.25
    assert ranking_figures(4)["R@3"] == 0
    assert set(ranking_figures(None).values()) == {0.0}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = evaluation(1, 2, None)
    written.write(tmp_path / "a.json")
    assert Evaluation.read(tmp_path / "a.json") == written
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(StackError, match="--json"):
        Evaluation.read(tmp_path / "b.json")
    with pytest.raises(StackError, match="No such file"):
        Evaluation.read(tmp_path / "c.json")


def test_a_comparison_names_the_difference_its_interval_and_the_questions() -> None:
    text = shown(evaluation(*[2] * 40), evaluation(1, *[2] * 39))
    assert "+0.025" in text
    assert "Question 0?" in text
    assert "Question 1?" not in text
    assert "+0.000 …" in text, "one question of forty is within chance"


def test_a_clear_gain_has_an_interval_above_nought() -> None:
    assert "+0.500 … +0.500" in shown(evaluation(*[2] * 40), evaluation(*[1] * 40))


def test_sets_without_a_common_question_are_refused() -> None:
    other = Evaluation(
        kind="retrieval",
        name="other",
        results=[Result(qid="x", question="?", figures={"P@1": 1})],
        seconds_per_question=1,
    )
    with pytest.raises(StackError, match="no question in common"):
        shown(evaluation(1), other)
