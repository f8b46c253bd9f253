"""Claims: true sentences are supported and changed ones are not, by the same seed the same ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from switchyard_benchmarks.claims import claims
from switchyard_benchmarks.cli import evaluate
from switchyard_benchmarks.results import Evaluation

SENTENCES = [
    "The harbour of Lund was opened in May 1912 by Anna Berg.",
    "It has 25 berths, and 40 boats are waiting for one of them.",
    "The northern mole is 120 metres long and was repaired in 1987.",
    "In winter the harbour master of Lund is called on channel 9.",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    document = {"doc_id": "d", "title": "Harbour", "lang": "en", "text": " ".join(SENTENCES)}
    answers = ["Anna Berg", "25 berths", "1987", "channel 9"]
    questions = [
        {"doc_id": "d", "evidence": [{"sentence": sentence, "answer": answer}]}
        for sentence, answer in zip(SENTENCES, answers, strict=True)
    ]
    (tmp_path / "set.corpus.jsonl").write_text(json.dumps(document))
    (tmp_path / "set.questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return tmp_path


def test_true_sentences_are_supported_and_changed_ones_are_not(data: Path) -> None:
    found = {each.name: each for each in claims(data, "set", 10)}
    assert found["set true"].means() == {"marked unsupported": 0.0}
    assert found["set answers alone"].means() == {"marked unsupported": 0.0}
    assert found["set changed"].means() == {"marked unsupported": 1.0}
    assert all(result.question not in SENTENCES for result in found["set changed"].results)


def test_the_same_seed_makes_the_same_claims(data: Path) -> None:
    def asked(seed: int) -> list[str]:
        return [result.question for each in claims(data, "set", 10, seed) for result in each.results]

    assert asked(5) == asked(5)
    assert asked(5) != asked(6)


def test_all_cases_are_written(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    shown = CliRunner().invoke(evaluate, ["claims", str(data), "set", "--json", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "set changed" in shown.output
    kinds = {result.details["kind"] for result in Evaluation.read(file).results}
    assert {"true", "answer"} <= kinds
