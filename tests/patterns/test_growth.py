"""No pattern's time grows faster than its text, whatever the text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from patterns.discovery import Found, patterns
from patterns.measure import SUPERLINEAR, worst

pytestmark = pytest.mark.security
_TESTS = Path(__file__).parents[1]


def measured(found: list[Found]) -> list[str]:
    """List the patterns that are slow or never end; a process that is killed is started again behind its pattern."""
    slow: list[str] = []
    waiting = list(found)
    while waiting:
        lines = "".join(f"{json.dumps(_task(each.pattern, sorted(each.uses)))}\n" for each in waiting)
        done = subprocess.run(
            [sys.executable, "-m", "patterns.measure"], cwd=_TESTS, input=lines, capture_output=True, text=True
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(waiting) or done.returncode < 0, done.stderr
        for each, answer in zip(waiting, answers, strict=False):
            if answer["growth"] > SUPERLINEAR:
                slow.append(
                    f"{each.place} {each.pattern.pattern!r} on {answer['text']}: {answer['seconds']:.2f} s, "
                    f"{answer['growth']:.1f} times as long for 4 times the text"
                )
        if len(answers) < len(waiting):
            slow.append(f"{waiting[len(answers)].place} {waiting[len(answers)].pattern.pattern!r}: no end in sight")
        waiting = waiting[len(answers) + 1 :]
    return slow


def _task(pattern: re.Pattern[Any], uses: list[str]) -> dict[str, Any]:
    binary = isinstance(pattern.pattern, bytes)
    written = pattern.pattern.decode("latin-1") if binary else pattern.pattern
    return {"pattern": written, "flags": pattern.flags & ~re.DEBUG, "uses": uses, "binary": binary}


def test_every_pattern_is_linear() -> None:
    found, _ = patterns()
    assert len(found) > 100
    assert measured(list(found)) == []


def test_patterns_that_are_known_to_be_slow_are_found() -> None:
    heading = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
    assert worst(_task(heading, ["finditer"]))["growth"] > SUPERLINEAR
    comments = Found(re.compile(r"(<!--.*?-->\s*)*<html", re.DOTALL), "here", frozenset({"match"}))
    assert "no end in sight" in measured([comments])[0]
