"""What is wrong with an input, in plain words: the one place that rewrites what pydantic says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not valid JSON: {error}",
    "value_error": "{error}",
    "assertion_error": "{error}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_type": "must be a text",
    "string_unicode": "must be a text in UTF-8",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "none_required": "must be null",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "must be a list"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type", "dataclass_type", "mapping_type"), "must be an object"
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "timezone_aware"),
        "must be a date and time, as in 2026-11-26T12:00:00Z",
    ),
}
"""By the types of https://docs.pydantic.dev/latest/errors/validation_errors/; the names in braces are of its context."""
_PLACES = ("body", "query", "path", "header", "cookie")


def words_of(fault: Mapping[str, Any]) -> str:
    """Return what is wrong, from an entry of `ValidationError.errors()`."""
    pattern = _PLAIN.get(fault["type"])
    if pattern is not None:
        try:
            return pattern.format_map(fault.get("ctx") or {})
        except KeyError:
            pass
    words = str(fault["msg"]).replace("Input should", "must").replace("Value error, ", "")
    return words[:1].lower() + words[1:]


def field_of(fault: Mapping[str, Any]) -> str:
    """Return the dotted path of the field at fault; `body` where it is the whole."""
    if fault["type"] == "json_invalid":
        return "body"
    location = fault["loc"]
    parts = location[1:] if location and location[0] in _PLACES else location
    return ".".join(map(str, parts)) or "body"


def said(name: str, fault: Mapping[str, Any]) -> str:
    """Return a sentence on what is called `name`, without a full stop; a rule about several things names them itself."""
    words = words_of(fault)
    if not name:
        return words
    return f"{name} {words}" if words.startswith(("is ", "must ", "has ")) else f"{name}: {words}"
