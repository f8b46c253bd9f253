"""What can be said of an answer without knowing the right one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llm_providers.types import ChatRequest

_LABEL = re.compile(r"\[([^\[\]\s]{1,12})\]")


def labels(text: str) -> frozenset[str]:
    """The source labels that an answer cites."""
    return frozenset(_LABEL.findall(text))


def json_valid(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the text is JSON that fits the schema."""
    # Imported here: it takes a fifth of a second, and most requests ask for no JSON.
    from jsonschema import Draft202012Validator, ValidationError

    try:
        Draft202012Validator(schema).validate(json.loads(text))
    except (ValueError, ValidationError):
        return False
    return True


def grounded(request: ChatRequest, text: str) -> float | None:
    """The share of cited labels that are sources of the request; 0 for none cited, None where it had no sources."""
    known = {source.label for message in request.messages for source in message.sources}
    if not known or request.json_schema is not None:
        return None
    cited = labels(text)
    return len(cited & known) / len(cited) if cited else 0.0
