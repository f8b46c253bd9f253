"""Whatever the schema, the result keeps to it and comes from the text; or there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.backends.embedded.structured import fill
from llm_providers.errors import RequestRejected

TEXT = "# Harbour\n\nThe harbour has 12,500 berths for small ships. Anna will paint the crane by Friday. " * 2
STRING = {"type": "string"}
NULL = {"type": "null"}


def read(encoder: Encoder, kind: dict[str, Any], text: str = TEXT, definitions: dict[str, Any] | None = None) -> Any:
    schema = {"type": "object", "properties": {"berths": kind}, "required": ["berths"], "$defs": definitions or {}}
    return json.loads(fill(encoder, schema, text))["berths"]


def test_kinds(encoder: Encoder) -> None:
    assert read(encoder, {"type": "integer"}) == 12500
    assert read(encoder, {"type": "object", "properties": {"title": STRING}}) == {"title": "Harbour"}
    assert read(encoder, {"$ref": "#/$defs/T"}, definitions={"T": {"enum": ["harbour", "cooking"]}}) == "harbour"
    assert read(encoder, STRING) in TEXT


def test_what_is_not_there_is_null(encoder: Encoder) -> None:
    assert read(encoder, {"anyOf": [{"type": "integer"}, NULL]}, "No figures here at all.") is None
    assert read(encoder, {"type": ["boolean", "null"]}) is None
    assert read(encoder, {"anyOf": [STRING, NULL]}, "") is None


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "boolean"},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "integer", "maximum": 5},
        {"type": "string", "minLength": 5000},
        {"type": "array", "items": STRING, "minItems": 50},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/$defs/endless"},
    ],
)
def test_what_cannot_be_filled_is_rejected(encoder: Encoder, kind: dict[str, Any]) -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#/$defs/endless"}}, "required": ["next"]}
    with pytest.raises(RequestRejected):
        read(encoder, kind, definitions={"endless": endless})


def test_strings_are_cut_at_a_word_wherever_they_stand(encoder: Encoder) -> None:
    short = {"type": "string", "maxLength": 20}
    item = {"type": "object", "properties": {"text": short, "quote": {"anyOf": [short, NULL]}}}
    found = [read(encoder, short), *read(encoder, {"type": "array", "items": short})]
    for each in json.loads(
        fill(encoder, {"type": "object", "properties": {"action_items": {"type": "array", "items": item}}}, TEXT)
    )["action_items"]:
        found += each.values()
    assert len(found) > 4
    for text in found:
        assert len(text) <= 20
        assert f"{text} " in TEXT or f"{text}\n" in TEXT


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\n" * 100_000, "🍐" * 2000, "\0", "梨" * 1500 + "。"])
def test_hostile_text_is_filled_or_rejected(encoder: Encoder, text: str) -> None:
    schema = {"type": "object", "properties": {"summary": STRING, "points": {"type": "array", "items": STRING}}}
    assert isinstance(json.loads(fill(encoder, schema, text))["points"], list)
