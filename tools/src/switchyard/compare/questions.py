"""Questions to compare backends by: JSON lines with `question` (or `text`) and optionally `answers`, or plain lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchyard.client import StackError


@dataclass(frozen=True, slots=True)
class ComparedQuestion:
    """A question, and what a correct answer contains, if that is known."""

    text: str
    gold: tuple[str, ...] = ()


def load(path: Path) -> list[ComparedQuestion]:
    """Read a file of questions; raises `StackError` naming the invalid line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    questions = [_question(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not questions:
        raise StackError(f"{path} holds no questions")
    return questions


def _question(path: Path, number: int, line: str) -> ComparedQuestion:
    if not line.lstrip().startswith("{"):
        return ComparedQuestion(line.strip())
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise StackError(f"{path}, line {number}: {error}") from error
    text = row.get("question") or row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise StackError(f'{path}, line {number}: there is no "question"')
    gold = row.get("answers") or row.get("answer") or ()
    return ComparedQuestion(text.strip(), (gold,) if isinstance(gold, str) else tuple(str(each) for each in gold))
