"""JSON: lists of records as tables, whatever else as it is written."""

from __future__ import annotations

import json
from typing import Any

from doc_processor import markdown
from doc_processor.parsers.base import ParsedPage, ParseLimits, ParseWarning, ReadyPages, Upload
from doc_processor.parsers.plain import read_text
from doc_processor.refusals import Empty
from doc_processor.text import clean, tidy

_MOST_COLUMNS = 60
_MAX_DEPTH = 100


def parse(upload: Upload, limits: ParseLimits) -> ReadyPages:
    """Read JSON or JSON lines; what is neither is read as text, with a warning."""
    raw, warnings = read_text(upload.path.read_bytes())
    text = clean(raw).strip()
    if not text:
        raise Empty("the file holds no text")
    try:
        value = _loaded(text)
        if (rows := _records(value, limits)) is not None:
            return ReadyPages([ParsedPage(tidy(markdown.table(rows)), "json")], warnings)
        return ReadyPages([ParsedPage(tidy("\n".join(_lines(value, 0))), "json")], warnings)
    except (ValueError, RecursionError):
        note = ParseWarning("damaged-json", "the file is not valid JSON, and was read as text")
        return ReadyPages([ParsedPage(tidy(text), "source-code")], (*warnings, note))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2:
            raise
        return [json.loads(line, parse_int=str, parse_float=str, parse_constant=str) for line in lines]


def _records(value: Any, limits: ParseLimits) -> list[list[str]] | None:
    """Return a header and rows for a list of flat records that have fields in common."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(each, dict) for each in value):
        return None
    names = list(dict.fromkeys(name for each in value for name in each))
    filled = sum(len(each) for each in value)
    flat = all(not isinstance(cell, dict | list) for each in value for cell in each.values())
    if not flat or not names or len(names) > _MOST_COLUMNS or filled < 0.4 * len(names) * len(value):
        return None
    if len(names) * len(value) > limits.max_table_cells:
        return None
    return [names, *([_scalar(each.get(name)) for name in names] for each in value)]


def _lines(value: Any, depth: int) -> list[str]:
    """Write nested values as a list of `name: value`, in which every line can be found by its words."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if not isinstance(value, dict | list):
        return [markdown.paragraph(_scalar(value))]
    pairs = value.items() if isinstance(value, dict) else enumerate(value, 1)
    found = []
    for name, inner in pairs:
        if isinstance(inner, dict | list):
            found += [markdown.item(f"{name}:", depth), *_nested(inner, depth)]
        else:
            found.append(
                markdown.item(f"{name}: {_scalar(inner)}" if isinstance(value, dict) else _scalar(inner), depth)
            )
    return found


def _nested(inner: Any, depth: int) -> list[str]:
    return _lines(inner, depth + 1) if inner else []


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
