"""What a scripted engine says: everything follows from the prompt, so that tests can know it beforehand."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\S+\s*|\s+")


def count_tokens(text: str) -> int:
    """One per word and one per punctuation mark."""
    return len(_TOKEN.findall(text))


def last_tokens(text: str, keep: int) -> str:
    """Drop the beginning of a text, as an engine does that truncates in silence."""
    starts = [match.start() for match in _TOKEN.finditer(text)]
    return text if len(starts) <= keep else text[starts[-keep] :] if keep else ""


def pieces(text: str) -> list[str]:
    """Split an answer into the pieces it is streamed in; they concatenate to the text."""
    return _PIECE.findall(text)


class Thinking(str):
    """A piece of reasoning, among the pieces of an answer."""


def with_thoughts(thoughts: str, style: str, parts: list[str]) -> list[str]:
    """Put a server's reasoning before its answer, in the way that the server has."""
    if not thoughts:
        return parts
    if style in ("inline", "prefilled"):
        opening = "<think>" if style == "inline" else ""
        text = f"{opening}{thoughts}</think>\n\n"
        # Cut where it hurts: in the middle of the tags.
        return [*[text[at : at + 5] for at in range(0, len(text), 5)], *parts]
    return [*map(Thinking, pieces(thoughts)), *parts]


def continued(whole: str, prefix: str) -> str:
    """What comes after a partial answer: the rest, where it is the beginning of ours; else all of ours."""
    return whole.removeprefix(prefix)


def until(text: str, stop: Sequence[str]) -> str:
    """End an answer before the first of these words."""
    return text[: min((text.index(word) for word in stop if word in text), default=len(text))]


def numbered(words: int) -> Callable[[str], str]:
    """Always the same text, in which any word that is missing or comes twice can be seen."""
    text = " ".join(f"w{number}" for number in range(1, words + 1))
    return lambda _: text


def default_answer(prompt: str) -> str:
    """Repeat the prompt's last words: different prompts get different answers."""
    words = prompt.split()
    return "You said: " + " ".join(words[-12:])


def vector(text: str, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """A unit vector made of the hashes of a text's words: texts that share words lie close together."""
    words = re.findall(r"\w+", text.lower()) or [""]
    total = np.zeros(dimension)
    for word in words:
        total += _noise(f"{seed}:{word}", dimension)
    total += 0.05 * _noise(f"{seed}:text:{text}", dimension)
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _noise(key: str, dimension: int) -> NDArray[np.float64]:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(dimension)


def relevance(query: str, document: str) -> float:
    """The share of the query's words that the document has."""
    wanted = set(re.findall(r"\w+", query.lower()))
    return len(wanted & set(re.findall(r"\w+", document.lower()))) / max(1, len(wanted))


def json_answer(schema: Mapping[str, Any], prompt: str) -> str:
    return json.dumps(instance(schema, prompt, schema), ensure_ascii=False)


def instance(schema: Mapping[str, Any], prompt: str, root: Mapping[str, Any]) -> Any:
    """Make a value that validates against `schema` (the keywords that structured output supports)."""
    if "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        return instance(target, prompt, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            options: Sequence[Mapping[str, Any]] = schema[union]
            return instance(next((o for o in options if o.get("type") != "null"), options[0]), prompt, root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind == "object":
        return {name: instance(sub, prompt, root) for name, sub in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), prompt, root)] * max(1, schema.get("minItems", 1))
    if kind == "string":
        return _string(schema, prompt)
    if kind == "integer":
        return int(schema.get("minimum", 1))
    if kind == "number":
        return float(schema.get("minimum", 1.0))
    return {"boolean": True, "null": None}[kind]


def _string(schema: Mapping[str, Any], prompt: str) -> str:
    if schema.get("format") == "date":
        return "2026-01-31"
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    text = " ".join(prompt.split()[-6:])
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", 10_000)]
