"""`switchyard compare`: what the load generator measures, what an interruption keeps, what the answers are scored."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.process import takes_interrupts
from switchyard.client import StackError
from switchyard.compare import gpu, load, questions
from switchyard.compare.answer import Answer
from switchyard.compare.environment import doubts, inequalities, repeats
from switchyard.compare.figures import figures
from switchyard.compare.load import Level, Setting
from switchyard.compare.quality import f1, pairs, quality, word_diff
from switchyard.compare.questions import ComparedQuestion

pytestmark = pytest.mark.live

ASKED = [
    ComparedQuestion("When does it open?", ("nine",)),
    ComparedQuestion("Who paints it?", ("the guard",)),
    ComparedQuestion("Why?"),
]


def measured(stack: Any, users: tuple[int, ...] = (2,), per_level: int = 3, **more: Any) -> list[Level]:
    setting = Setting(stack.url, "sy-admin", ("ollama", "vllm"), users, per_level, **more)
    found: list[Level] = []
    asyncio.run(load.run(setting, ASKED, found, lambda level, answer: None))
    return found


def test_every_level_asks_both_the_same_in_turn_and_warms_both_up(stack: Any) -> None:
    levels = measured(stack, (1, 3), per_level=4)
    assert [(level.backend, level.users) for level in levels] == [
        ("ollama", 1),
        ("vllm", 1),
        ("vllm", 3),
        ("ollama", 3),
    ]
    assert all(level.whole and len(level.answers) == 4 for level in levels)
    for one, other in ((levels[0], levels[1]), (levels[2], levels[3])):
        assert sorted(a.question for a in one.answers) == sorted(a.question for a in other.answers)
    assert sorted(a.question for a in levels[2].answers) == [0, 1, 1, 2], (
        "goes on in the file where the last level ended"
    )
    assert stack.asked == {"ollama": 9, "vllm": 9}, "4 + 4 and one that is not counted"


def test_times_tokens_and_rates_are_the_clients_own(stack: Any, whole_answer: Callable[..., Any]) -> None:
    def slow(question: str, _: int) -> list[tuple[str, Any]]:
        sources, *tokens, done = whole_answer("a b c d e", provider="vllm")
        return [sources, ("wait", 0.2), *tokens, ("wait", 0.1), done]

    stack.answers["vllm"] = slow
    ollama, vllm = (figures(level) for level in measured(stack, (3,), per_level=3))
    assert vllm["first_token"] is not None
    assert vllm["seconds"] is not None
    assert 0.2 <= vllm["first_token"]["p50"] < 0.3 <= vllm["seconds"]["p50"] < 0.6
    assert (vllm["requests"], vllm["failed"], vllm["tokens"]) == (3, 0, 15)
    assert vllm["tokens_per_second"] == pytest.approx(15 / vllm["wall_seconds"])
    assert vllm["stream_tokens_per_second"] == pytest.approx(4 / 0.1, rel=0.5)
    assert ollama["requests_per_second"] > vllm["requests_per_second"]


def test_each_way_to_fail_is_an_error_of_its_own_kind(stack: Any, whole_answer: Callable[..., Any]) -> None:
    whole = whole_answer("It opens at nine", provider="vllm")
    ways = [
        whole,  # the one that is not counted
        [*whole[:3], ("cut", None)],
        whole[:-1],
        [("status", (503, "unavailable", "both are down"))],
        [*whole[:2], ("error", {"type": "urn:switchyard:problem:stream-broken", "detail": "vllm died"})],
        [*whole[:2], ("cancelled", {"detail": "stopping"})],
        [*whole[:2], ("wait", 30)],
        [*whole[:2], ("done", {"no": "usage"})],
        whole,
    ]
    stack.answers["vllm"] = lambda _, number: ways[number - 1]
    _, level = measured(stack, (1,), per_level=8, timeout=0.7)
    assert [answer.error for answer in level.answers] == [
        "ClientPayloadError",
        "cut off",
        "503 unavailable",
        "in mid-answer: stream-broken",
        "cancelled",
        "timeout",
        "malformed event",
        None,
    ]
    assert level.answers[2].detail == "both are down"
    assert figures(level)["errors"]["cut off"] == 1
    assert figures(level)["failed"] == 7
    assert figures(level)["tokens"] == 4, "what failed adds no speed"


def test_an_event_of_a_megabyte_in_one_line_is_read(stack: Any, whole_answer: Callable[..., Any]) -> None:
    _, *rest = whole_answer("fine", provider="vllm")
    stack.answers["vllm"] = lambda *_: [("sources", {"items": [{"text": "x" * 2**20}]}), *rest]
    assert all(answer.ok for answer in measured(stack)[1].answers)


def test_quality_by_gold_citations_and_each_other(stack: Any, whole_answer: Callable[..., Any]) -> None:
    says = {
        "ollama": {0: "It opens at nine.", 1: "Guards do", 2: "Because"},
        "vllm": {0: "At nine it opens!", 1: "The guard paints it", 2: "Nobody knows"},
    }
    numbers = {question.text: number for number, question in enumerate(ASKED)}
    other = [{"document_id": "d2", "title": "Manual", "page": 3}]
    for name, texts in says.items():
        cites = {} if name == "ollama" else {"citations": other}
        stack.answers[name] = lambda q, _, name=name, texts=texts, cites=cites: whole_answer(
            texts[numbers[q]], provider=name, answered=numbers[q] != 2, **cites
        )
    levels = measured(stack)
    compared = pairs(ASKED, levels, "ollama", "vllm")
    assert [round(pair.likeness, 2) for pair in compared] == [1.0, 0.0, 0.0]
    assert [pair.citation_overlap for pair in compared] == [0, 0, 0], "one title, two documents"
    scored = {
        level.backend: quality(level.backend, [(ASKED[answer.question], answer) for answer in level.answers])
        for level in levels
    }
    assert scored["ollama"] is not None
    assert scored["vllm"] is not None
    assert (scored["ollama"]["holds_gold"], scored["vllm"]["holds_gold"]) == (0.5, 1.0)
    assert scored["vllm"]["answered"] == pytest.approx(2 / 3)
    assert quality("vllm", []) is None


def test_f1_and_the_word_diff() -> None:
    assert f1("the red door", "The door, red!") == 1
    assert f1("a b", "a c d") == pytest.approx(2 * 1 / 5)
    assert (f1("", ""), f1("a", "")) == (1, 0)
    assert word_diff("it opens at nine", "It opens by ten, daily") == [
        (True, "it opens ", "It opens "),
        (False, "at nine", "by ten, daily"),
    ]
    assert word_diff("", "so") == [(False, "", "so")]


def test_questions_are_json_lines_or_plain_ones(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text('{"question": "A?", "answers": ["x", "y"]}\n\n{"text": "B?", "answer": "z"}\nPlain one?\n')
    assert questions.load(path) == [
        ComparedQuestion("A?", ("x", "y")),
        ComparedQuestion("B?", ("z",)),
        ComparedQuestion("Plain one?"),
    ]
    for bad, words in (('{"question": ""}', "line 1: there is no"), ('{"question"', "line 1: "), ("", "holds no")):
        path.write_text(bad)
        with pytest.raises(StackError, match=words):
            questions.load(path)
    with pytest.raises(StackError, match="No such file"):
        questions.load(tmp_path / "none")


def test_users_are_read_in_rising_order() -> None:
    assert load.levels("10,1,5,5") == (1, 5, 10)
    for wrong in ("", "0,1", "many", "1;2"):
        with pytest.raises(StackError, match="like 1,5,10"):
            load.levels(wrong)


def test_what_is_not_equal_is_said() -> None:
    said = {
        "ollama": {"text": {"model": "llama3.2", "quantisation": "Q4_K_M", "context_tokens": 4096, "parallel": 1}},
        "vllm": {
            "text": {
                "engine": "vllm",
                "model": "meta-llama/Llama-3.2-3B",
                "precision": "bfloat16",
                "context_tokens": 4096,
            }
        },
    }
    assert inequalities("ollama", "vllm", said) == [
        "vllm runs another model: meta-llama/Llama-3.2-3B, ollama llama3.2",
        "vllm runs another quantisation: unknown, ollama Q4_K_M",
        "vllm runs another precision: bfloat16, ollama unknown",
        "requests at once: vllm as many as fit (continuous batching), ollama 1",
    ]
    assert inequalities("a", "b", {"a": {"text": {"model": "m"}}, "b": {"text": {"model": "m"}}}) == []
    # Engines are recognised by their software: an engine may have any name.
    software = {
        "vllm": {"text": {"model": "m", "engine": "ollama"}},
        "next": {"text": {"model": "m", "engine": "vllm"}},
    }
    assert inequalities("vllm", "next", software) == [
        "requests at once: next as many as fit (continuous batching), vllm 1 unless OLLAMA_NUM_PARALLEL is set, "
        "which Ollama does not report"
    ]
    assert inequalities("a", "b", {"a": {"text": {"error": "refused"}}}) == [
        "a does not report what it runs: refused",
        "b does not report what it runs: nothing known",
    ]


def test_answers_that_make_a_comparison_doubtful() -> None:
    odd = Answer(0, provider="ollama", estimated=True, degraded=["embeddings"], extractive=True)
    found = doubts("ollama", "vllm", [Level("vllm", 1, [odd])])
    assert [words.split()[0] for words in found] == ["ollama", "answers", "vllm", "vllm", "1"]
    slow = [Level(name, 50, [Answer(0, provider=name, search=0.9, first_token=1.0)]) for name in ("ollama", "vllm")]
    quick = [Level(name, 1, [Answer(0, provider=name, search=0.1, first_token=1.0)]) for name in ("ollama", "vllm")]
    assert doubts("ollama", "vllm", quick) == []
    assert [words[:37] for words in doubts("ollama", "vllm", slow + quick)] == ["with 50 at once, 0.90 of the 1.00 s t"]


def test_fewer_questions_than_requests_are_said() -> None:
    levels = [Level(name, users, [Answer(0)] * 4) for name in ("ollama", "vllm") for users in (1, 2)]
    assert repeats(8, levels) == []
    assert repeats(8, []) == []
    assert repeats(7, levels)[0].startswith("8 requests to each, but only 7 questions")


def test_gpus_are_watched_where_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, NVIDIA T4, 40, 1000, 16384'; echo '0, NVIDIA T4, 80, 3000, 16384'\n"
                       "echo '1, NVIDIA T4, [N/A], [N/A], 16384'; exec sleep 60\n")  # fmt: skip
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    with gpu.watch() as watch:
        while len(watch.samples) < 2 and time.monotonic() < began + 10:
            time.sleep(0.01)
    assert watch.between(began, time.monotonic()) == [
        {"index": 0, "name": "NVIDIA T4", "utilisation_mean": 60, "utilisation_max": 80, "memory_used_mib": 3000, "memory_total_mib": 16384}
    ]  # fmt: skip
    assert watch.between(0, began) == []


def compare(stack: Any, tmp_path: Path, *arguments: str, key: str = "sy-admin") -> subprocess.Popen[str]:
    (tmp_path / "q.jsonl").write_text(
        "".join(json.dumps({"question": q.text, "answers": q.gold}) + "\n" for q in ASKED)
    )
    command = [sys.executable, "-m", "switchyard", "compare", "--a", "ollama", "--b", "vllm", "--url", stack.url]
    command += ["--questions", str(tmp_path / "q.jsonl"), "--out", str(tmp_path), *arguments]
    env = {**os.environ, "COLUMNS": "200", "SWITCHYARD_API_KEY": key}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env, preexec_fn=takes_interrupts)


def test_a_comparison_from_the_command_line(stack: Any, tmp_path: Path) -> None:
    child = compare(
        stack, tmp_path, "--users", "1,4", "--per-level", "6", "--max-tokens", "64", "--collection", "bridge"
    )
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    assert "With 4 users at once, vllm wrote" in out
    assert "another quantisation" in out
    assert "12 requests to each, but only 3 questions" in out
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["complete"] is True
    assert [(level["backend"], level["users"], level["requests"]) for level in found["levels"]] == [
        ("ollama", 1, 6), ("vllm", 1, 6), ("ollama", 4, 6), ("vllm", 4, 6),
    ]  # fmt: skip
    assert found["environment"]["backends"]["vllm"]["text"]["precision"] == "bfloat16"
    assert found["agreement"]["cosine"] == pytest.approx(1, abs=1e-3)
    assert len(found["answers"]) == 3
    assert all(body == {**body, "max_tokens": 64, "collection": "bridge"} for body in stack.bodies)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_ctrl_c_keeps_what_was_measured(stack: Any, tmp_path: Path, whole_answer: Callable[..., Any]) -> None:
    def paced(name: str) -> Callable[[str, int], list[tuple[str, Any]]]:
        # One is answered at once and counted; from the third on they hang, so that the signal comes in mid-level.
        return lambda _, number: [
            ("wait", 60 if name == "vllm" and number > 2 else 0),
            *whole_answer("x", provider=name),
        ]

    stack.answers = {name: paced(name) for name in ("ollama", "vllm")}
    child = compare(stack, tmp_path, "--users", "1,5", "--per-level", "2")
    end = time.monotonic() + 60
    while stack.asked["vllm"] < 3 and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "the results so far are kept" in out
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["complete"] is False
    assert [(level["backend"], level["requests"], level["whole"]) for level in found["levels"]] == [
        ("ollama", 2, True), ("vllm", 1, False),
    ]  # fmt: skip
    assert "It was interrupted" in (tmp_path / "report.html").read_text()


def test_what_cannot_be_compared_is_one_sentence(stack: Any, tmp_path: Path) -> None:
    child = compare(stack, tmp_path, key="sy-user")
    assert "this needs an admin key" in child.communicate(timeout=60)[1]
    stack.backends = {"ollama": ["text"]}
    child = compare(stack, tmp_path)
    assert "vllm does not serve text here; there are ollama" in child.communicate(timeout=60)[1]
    assert child.returncode == 1
    assert not stack.asked
