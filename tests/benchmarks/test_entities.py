"""Entities against annotated text: spans from words and tags, and figures that can be counted by hand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from switchyard.client import StackError
from switchyard_benchmarks.cli import evaluate
from switchyard_benchmarks.entities import annotated, entities

WORDS = [
    ("Anna", "B-PER"), ("Berg", "I-PER"), ("lives", "O"), ("in", "O"), ("Rotterdam", "B-LOC"), (",", "O"), ("near", "O"),
    ("Zorvex", "B-ORG"), (".", "O"),
]  # fmt: skip
FILE = "\n".join(
    [
        "# newdoc id = first",
        "# sent_id = first-1",
        "# text = Anna Berg lives in Rotterdam, near Zorvex.",
        *(f"{number}\t{word}\t{tag}\t-\t-" for number, (word, tag) in enumerate(WORDS, 1)),
        "",
    ]
)


def test_words_and_tags_become_spans() -> None:
    (document,) = annotated(FILE.splitlines())
    assert {(document.text[start:end], type_) for start, end, type_ in document.entities} == {
        ("Anna Berg", "person"),
        ("Rotterdam", "place"),
        ("Zorvex", "organisation"),
    }


def test_figures_count_exact_spans_and_types(tmp_path: Path) -> None:
    path = tmp_path / "set.iob2"
    path.write_text(FILE)
    (result,) = entities(path, "en").results
    assert result.figures["person.right"] == result.figures["person.there"] == 1
    assert (result.figures["place.right"], result.figures["place.found"]) == (1, 2)
    assert result.figures["organisation.right"] == 0
    assert result.details == {"missed": ["organisation: Zorvex"], "wrong": ["place: Zorvex"]}
    shown = CliRunner().invoke(evaluate, ["entities", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "0.667" in shown.output


NAMES = """
import json, sys
for line in sys.stdin:
    start = json.loads(line).find("Zorvex")
    print(json.dumps([[start, start + 6, "organisation"]]))
"""


def test_another_program_is_scored_alike(tmp_path: Path) -> None:
    path, program = tmp_path / "set.iob2", tmp_path / "names.py"
    path.write_text(FILE)
    program.write_text(NAMES)
    (result,) = entities(path, "en", [sys.executable, str(program)]).results
    assert result.figures["organisation.right"] == result.figures["organisation.found"] == 1
    assert result.figures["person.found"] == 0


@pytest.mark.parametrize("program", ["import sys; sys.exit(3)", "print('[[1, 2]]')", "pass"])
def test_a_program_that_fails_is_named(tmp_path: Path, program: str) -> None:
    path = tmp_path / "set.iob2"
    path.write_text(FILE)
    with pytest.raises(StackError, match=re.escape(sys.executable)):
        entities(path, "en", [sys.executable, "-c", program])
