"""What a JSON Schema asks of a single value: how long a string may be, which number a sentence holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llm_providers.errors import RequestRejected

_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d{1,30}(?:[.,]\d{1,30}){0,10}(?![\w])")
_THOUSANDS = re.compile(
    r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|[-+]?\d{1,3}(?:\.\d{3})+,\d+"
)


def fit(text: str, schema: Mapping[str, Any], name: str) -> str:
    """Cut `text` at a word so that `maxLength` holds; raises `RequestRejected` where another rule for it does not."""
    limit = schema.get("maxLength", len(text))
    if len(text) > limit:
        head = text[: limit + 1]
        whole_words = head[:limit] if head[-1].isspace() else head[:limit].rpartition(" ")[0]
        text = whole_words.rstrip() or text[:limit]
    if "pattern" in schema:
        # It comes from the client, and can take years to evaluate.
        raise RequestRejected(
            f"{name or 'the answer'}: regular expressions in a schema are not read", backend="embedded"
        )
    if len(text) < schema.get("minLength", 0):
        raise RequestRejected(f"the text holds nothing that fits {name or 'the answer'}", backend="embedded")
    return text


def number_in(text: str, schema: Mapping[str, Any], *, whole: bool) -> float | int | None:
    """Return the first number in `text` that the schema allows; "12,500" and "1.234.567" are read as thousands."""
    for match in _NUMBER.finditer(text):
        value = _read(match.group())
        if value is None or (whole and not value.is_integer()):
            continue
        if schema.get("minimum", value) <= value <= schema.get("maximum", value):
            return int(value) if whole else value
    return None


def _read(digits: str) -> float | None:
    if _THOUSANDS.fullmatch(digits) is not None:
        decimal = digits[-1 - len(re.split(r"[.,]", digits)[-1])] if {",", "."} <= set(digits) else ""
        digits = "".join(
            "." if char == decimal else char for char in digits if char.isdigit() or char in f"-+{decimal}"
        )
    try:
        return float(digits.replace(",", "."))
    except ValueError:
        return None
