"""What pydantic finds, in plain words."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from llm_providers.faults import field_of, said


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _told(text: str) -> str:
    if text == "no":
        raise ValueError("a canary needs a candidate")
    return text


class Inner(BaseModel):
    size: int = Field(1, ge=1, le=9)


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=5), AfterValidator(_not_empty)]
    told: Annotated[str, AfterValidator(_told)] = ""
    share: float = Field(0, gt=0, lt=1, allow_inf_nan=False)
    mode: Literal["mark", "drop"] = "mark"
    many: list[Inner] = Field([], max_length=2)
    flag: bool = False
    at: datetime | None = None
    some: dict[str, int] = {}
    code: str = Field("a", pattern="^[a-z]$", min_length=1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "text is missing"),
        ({"text": ""}, "text is empty"),
        ({"text": 3}, "text must be a text"),
        ({"text": "abcdef"}, "text must have at most 5 characters"),
        ({"text": "a", "told": "no"}, "told: a canary needs a candidate"),
        ({"text": "a", "more": 1}, "more is not known here"),
        ({"text": "a", "share": "x"}, "share must be a number"),
        ({"text": "a", "share": 0}, "share must be more than 0.0"),
        ({"text": "a", "share": 1}, "share must be less than 1.0"),
        ({"text": "a", "share": float("inf")}, "share must be a finite number"),
        ({"text": "a", "mode": "x"}, "mode must be 'mark' or 'drop'"),
        ({"text": "a", "many": 1}, "many must be a list"),
        ({"text": "a", "many": [1]}, "many.0 must be an object"),
        ({"text": "a", "many": [{}, {}, {}]}, "many must have at most 2 entries"),
        ({"text": "a", "many": [{"size": "x"}]}, "many.0.size must be a whole number"),
        ({"text": "a", "many": [{"size": 0}]}, "many.0.size must be at least 1"),
        ({"text": "a", "many": [{"size": 10}]}, "many.0.size must be at most 9"),
        ({"text": "a", "flag": "x"}, "flag must be true or false"),
        ({"text": "a", "at": "x"}, "at must be a date and time, as in 2026-11-26T12:00:00Z"),
        ({"text": "a", "some": 1}, "some must be an object"),
        ({"text": "a", "code": "1"}, "code must match ^[a-z]$"),
        ({"text": "a", "code": ""}, "code must have at least 1 characters"),
    ],
)
def test_each_kind_of_fault_is_a_plain_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate(given)
    [fault] = caught.value.errors()
    assert said(field_of(fault), fault) == words


def test_what_is_no_json_is_said_of_the_body() -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate_json("{")
    [fault] = caught.value.errors()
    assert said(field_of(fault), fault).startswith("body is not valid JSON: EOF while parsing")


def test_a_kind_that_is_not_in_the_list_loses_the_librarys_words() -> None:
    fault = {"type": "uuid_parsing", "loc": ("query", "id"), "msg": "Input should be a valid UUID"}
    assert said(field_of(fault), fault) == "id must be a valid UUID"
