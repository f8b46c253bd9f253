"""A note as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from notes_service.grounding import Action, Content, Point
from notes_service.tables import Note

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|])")
# A spreadsheet takes a cell that begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = re.compile(r"^([=+\-@])")


def render(note: Note) -> str:
    """Return the note as CommonMark; text from the source is escaped, so that it stays text."""
    content = Content.model_validate(note.content)
    parts = [f"# {_plain(note.title)}", _plain(content.summary)]
    if note.incomplete:
        parts.append("> This note is incomplete: the text did not fit, or the model stopped early.")
    if note.extractive:
        parts.append("> Made of the text's own sentences.")
    parts += _section("Key points", [_plain(point.text) for point in content.key_points])
    parts += _section("Decisions", [_plain(point.text) for point in content.decisions])
    parts += _section("Action items", [_action(action) for action in content.action_items])
    if content.tags:
        parts.append("Tags: " + ", ".join(_plain(tag) for tag in content.tags))
    parts += _quotes([*content.key_points, *content.decisions, *content.action_items])
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {line}" for line in lines)] if lines else []


def _action(action: Action) -> str:
    who = f"**{_plain(action.owner)}**: " if action.owner else ""
    when = f" (due {_plain(action.due)})" if action.due else ""
    return f"[{'x' if action.done else ' '}] {who}{_plain(action.text)}{when}"


def _quotes(points: Sequence[Point]) -> list[str]:
    quoted = [point.source for point in points if point.source is not None]
    lines = [f"> {_plain(span.quote)} (characters {span.start}–{span.end})" for span in quoted]
    return ["## Sources", "\n>\n".join(lines)] if lines else []


def _plain(text: str) -> str:
    return _FORMULA.sub(r"\\\1", _SPECIAL.sub(r"\\\1", " ".join(text.split())))
