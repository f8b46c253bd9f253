"""The body of a note."""

from __future__ import annotations

from pydantic import BaseModel


class Span(BaseModel):
    """Characters `start` to `end` of the note's source text, and the text there."""

    start: int
    end: int
    quote: str


class Point(BaseModel):
    """A point of a note and its source; a point that was added by hand has none."""

    text: str
    source: Span | None = None


class Action(Point):
    owner: str | None = None
    due: str | None = None
    done: bool = False


class Content(BaseModel):
    """The body of a note."""

    summary: str = ""
    key_points: list[Point] = []
    decisions: list[Point] = []
    action_items: list[Action] = []
    tags: list[str] = []
