"""Grounding of a draft in its text: quotes become spans, and what the text does not say is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel
from rapidfuzz import fuzz

from notes_service.draft import Draft, DraftItem

_LIKE_ENOUGH = 88.0
"""Least likeness, of 100, of a quote to the words it is taken to mean: room for a changed comma, not for another claim."""
_SAME_POINT = 90.0
P = TypeVar("P", bound="Point")


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


class Content(BaseModel):
    """The body of a note."""

    summary: str = ""
    key_points: list[Point] = []
    decisions: list[Point] = []
    action_items: list[Action] = []
    tags: list[str] = []


@dataclass(slots=True)
class Grounded:
    """The content of a draft that the text supports, and how much of the draft it does not."""

    content: Content
    dropped: int = 0
    cleared: list[str] = field(default_factory=list)


def ground(draft: Draft, text: str, start: int, end: int) -> Grounded:
    """Look up every quote of `draft` in `text[start:end]`."""
    grounded = Grounded(Content(summary=draft.summary, tags=_tags(draft.tags)))
    for items, target in (
        (draft.key_points, grounded.content.key_points),
        (draft.decisions, grounded.content.decisions),
    ):
        for item in items:
            if (span := _span(item, text, start, end)) is None:
                grounded.dropped += 1
            else:
                target.append(Point(text=item.text, source=span))
    for action in draft.action_items:
        if (span := _span(action, text, start, end)) is None:
            grounded.dropped += 1
            continue
        owner, due = (_stated(value, text, start, end) for value in (action.owner, action.due))
        grounded.cleared += [
            f"{name} {value!r}"
            for name, value, confirmed in (("owner", action.owner, owner), ("due date", action.due, due))
            if value and not confirmed
        ]
        grounded.content.action_items.append(Action(text=action.text, source=span, owner=owner, due=due))
    return grounded


def merge(contents: list[Content]) -> Content:
    """Join the contents of a text's parts; points that say the same are included once."""
    tags = [tag for content in contents for tag in content.tags]
    return Content(
        summary="\n".join(content.summary for content in contents),
        key_points=_distinct([point for content in contents for point in content.key_points]),
        decisions=_distinct([point for content in contents for point in content.decisions]),
        action_items=_distinct([action for content in contents for action in content.action_items]),
        tags=sorted(dict.fromkeys(tags), key=lambda tag: (-tags.count(tag), tags.index(tag)))[:8],
    )


def _distinct(points: list[P]) -> list[P]:
    distinct: list[P] = []
    for point in points:
        if all(fuzz.ratio(point.text.lower(), other.text.lower()) < _SAME_POINT for other in distinct):
            distinct.append(point)
    return distinct


def _tags(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(clean for tag in tags if (clean := " ".join(tag.lower().split())[:60])))


def _span(item: DraftItem, text: str, start: int, end: int) -> Span | None:
    quote = item.quote.strip()
    if not quote:
        return None
    exact = text.find(quote, start, end)
    if exact >= 0:
        return Span(start=exact, end=exact + len(quote), quote=quote)
    spaced = re.search(r"\s+".join(map(re.escape, quote.split())), text[start:end], re.IGNORECASE)
    if spaced is not None:
        first, last = start + spaced.start(), start + spaced.end()
        return Span(start=first, end=last, quote=text[first:last])
    if len(quote) > end - start:
        return None
    near = fuzz.partial_ratio_alignment(quote, text[start:end], score_cutoff=_LIKE_ENOUGH)
    if near is None:
        return None
    first, last = start + near.dest_start, start + near.dest_end
    return Span(start=first, end=last, quote=text[first:last])


def _stated(value: str | None, text: str, start: int, end: int) -> str | None:
    """Return `value` if the text holds its words in this order, else None."""
    if not value or not value.strip():
        return None
    pattern = r"\W+".join(re.escape(word) for word in re.findall(r"\w+", value))
    return value.strip() if pattern and re.search(pattern, text[start:end], re.IGNORECASE) else None
