"""Grounding of a draft in its text: quotes become spans, and what the text does not say is left out."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

from rapidfuzz import fuzz

from llm_providers.sentences import split, words
from llm_providers.transcripts import content, speaker, without_speaker
from notes_service.draft import Draft, DraftItem
from notes_service.grounding.claims import due_in, holds, owner_in, stands
from notes_service.grounding.content import Action, Content, Point, Span
from service_kit.statements.facts import facts_of

_LIKE_ENOUGH = 88.0
"""Least likeness, of 100, of a quote to the words it is taken to mean: room for a changed comma, not for another claim."""
_SAME_POINT = 90.0
_LOOKED_BACK = 100
"""Points among which one that says the same is looked for."""
_NEAR = 600
"""Characters around a quote in which facts and the due date of a point may stand."""
_LONGEST_TITLE = 12
_INSTEAD = re.compile(r"\b(?:not|instead of|rather than|nicht|statt|niet|in plaats van)\s+(.{1,60})", re.IGNORECASE)
_PIECE = re.compile(r"\S+")
P = TypeVar("P", bound=Point)


@dataclass(slots=True)
class Grounded:
    """The title and content of a draft that the text supports, and how much of the draft it does not."""

    content: Content
    title: str = ""
    dropped: int = 0
    cleared: list[str] = field(default_factory=list)


def ground(draft: Draft, text: str, start: int, end: int) -> Grounded:
    """Look up every quote of `draft` in `text[start:end]`, and check each point, owner and due date against it."""
    part = text[start:end]
    people = {word for line in part.splitlines() for word in (speaker(line) or "").split()}
    summary, dropped = borne_out(draft.summary, part)
    grounded = Grounded(Content(summary=summary, tags=_tags(draft.tags, part)), dropped=dropped)
    found = grounded.content
    for items, target in ((draft.key_points, found.key_points), (draft.decisions, found.decisions)):
        for item in items:
            if _is_bare(item.text) and target is found.key_points:
                continue
            if (point := _point(item, text, start, end, people, joined=target is found.decisions)) is None:
                grounded.dropped += 1
            else:
                target.append(point)
    for action in draft.action_items:
        if (point := _point(action, text, start, end, people, joined=True)) is None or point.source is None:
            grounded.dropped += 1
            continue
        owner = owner_in(action.owner, text, start, end)
        due = due_in(action.due, _around(text, point.source, start, end))
        grounded.cleared += [
            f"{name} {value!r}"
            for name, value, confirmed in (("owner", action.owner, owner), ("due date", action.due, due))
            if value and not confirmed
        ]
        found.action_items.append(Action(text=point.text, source=point.source, owner=owner, due=due))
    grounded.title = _title(draft.title, found)
    return grounded


def merge(contents: list[Content]) -> Content:
    """Join the contents of a text's parts; points that say the same are included once, a decision taken back is not."""
    tags = [tag for content in contents for tag in content.tags]
    all_decisions = _distinct([point for content in contents for point in content.decisions])
    decisions = _current(all_decisions)
    taken_back = {_key(point.text) for point in all_decisions} - {_key(point.text) for point in decisions}
    actions = _distinct([action for content in contents for action in content.action_items])
    said = {_key(point.text) for point in (*decisions, *actions)}
    key_points = _distinct([point for content in contents for point in content.key_points])
    return Content(
        summary="\n".join(summary for content in contents if (summary := _without(content.summary, taken_back))),
        key_points=[point for point in key_points if _key(point.text) not in said],
        decisions=decisions,
        action_items=actions,
        tags=sorted(dict.fromkeys(tags), key=lambda tag: (-tags.count(tag), tags.index(tag)))[:8],
    )


def borne_out(summary: str, source: str) -> tuple[str, int]:
    """Return the sentences of a summary whose facts the source has, each once, and how many it has not."""
    sentences = {_key(sentence.text): " ".join(sentence.text.split()) for sentence in reversed(split(summary))}
    kept = [sentence for sentence in reversed(sentences.values()) if stands(sentence, source)]
    return " ".join(kept), len(sentences) - len(kept)


def _without(summary: str, taken_back: set[tuple[str, ...]]) -> str:
    return " ".join(sentence.text for sentence in split(summary) if _key(sentence.text) not in taken_back)


def _distinct(points: Sequence[P]) -> list[P]:
    distinct: list[P] = []
    for point in points:
        if not any(_same(point.text, other.text) for other in distinct[-_LOOKED_BACK:]):
            distinct.append(point)
    return distinct


def _same(text: str, other: str) -> bool:
    if fuzz.ratio(text.lower(), other.lower(), score_cutoff=_SAME_POINT) == 0 and _key(text) != _key(other):
        return False
    facts, others = facts_of(text), facts_of(other)
    return facts.numbers == others.numbers and facts.dates == others.dates


def _current(decisions: Sequence[Point]) -> list[Point]:
    """Leave out what a later decision names as what it replaces: "fourteen, not sixteen"."""
    kept: list[Point] = []
    for point in decisions:
        replaced, about = content(" ".join(_INSTEAD.findall(point.text))), content(point.text)
        for earlier in kept[-_LOOKED_BACK:] if replaced else ():
            own = content(earlier.text)
            if own & replaced and len(own & about) > 1:
                kept.remove(earlier)
        kept.append(point)
    return kept


def _key(text: str) -> tuple[str, ...]:
    return tuple(words(text)) or (text.lower(),)


def _title(title: str, found: Content) -> str:
    """Return the title, or the beginning of the first point if it is none: a mark of the file, a greeting."""
    points = [point.text for point in (*found.decisions, *found.key_points, *found.action_items)]
    for each in (
        " ".join(without_speaker(title).split()),
        *(" ".join(text.split()[:_LONGEST_TITLE]) for text in points),
    ):
        if content(each) and not _is_subtitle_mark(each):
            return each
    return ""


def _is_subtitle_mark(text: str) -> bool:
    return text.lower().startswith("webvtt") or "-->" in text or not any(map(str.isalpha, text))


def _tags(tags: list[str], text: str) -> list[str]:
    """Return the tags that are words of the text, and not only months, days or words without content."""
    there = set(words(text))
    cleaned = dict.fromkeys(clean for tag in tags if (clean := " ".join(tag.lower().split())[:60]))
    return [tag for tag in cleaned if content(tag) and content(tag) <= there]


def _point(item: DraftItem, text: str, start: int, end: int, people: set[str], *, joined: bool) -> Point | None:
    """Return the point with its source, None if the text does not bear it out.

    One that says nothing alone ("Agreed.", "I will.") is joined to the sentence before, if it may be, or left out.
    """
    said, span = item.text, _span(item, text, start, end)
    if span is not None and _is_bare(said):
        window = split(text[max(start, span.start - _NEAR) : span.start])
        before = [each for each in window if not _is_bare(without_speaker(f"{each.text} "))]
        if not joined or not before:
            return None
        said = " ".join(without_speaker(before[-1].text).split())
        first = text.rindex(before[-1].text, start, span.start)
        span = Span(start=first, end=span.end, quote=text[first : span.end])
    if span is None or not holds(said, span.quote, _beside(text, span, start, end), _around(text, span, start, end)):
        return None
    # Whose task or opinion it is: "Tobias orders it" is not what "Ruben, please order it" says.
    named, there = people & _words(said), people & _words(f"{_speaker(text, start, span)} {span.quote}")
    if named and there and not named & there:
        return None
    return Point(text=said, source=span)


def _words(said: str) -> set[str]:
    return set(re.findall(r"[\w'-]+", said))


def _speaker(text: str, start: int, span: Span) -> str:
    """Return who says the quoted words: the last label before their end."""
    lines = text[max(start, span.start - _NEAR) : span.end].splitlines()
    return next((name for line in reversed(lines) if (name := speaker(line))), "")


def _is_bare(said: str) -> bool:
    facts = facts_of(said)
    return not content(said) and not facts.numbers and not facts.dates


def _beside(text: str, span: Span, start: int, end: int) -> str:
    """Return the quoted sentences with the one before and the one behind them."""
    first = max(start, span.start - _NEAR)
    window = split(text[first : min(end, span.end + _NEAR)])
    inside = [n for n, each in enumerate(window) if first + each.end > span.start and first + each.start < span.end]
    if not inside:
        return span.quote
    beside = window[max(0, inside[0] - 1) : inside[-1] + 2]
    return text[first + beside[0].start : first + beside[-1].end]


def _around(text: str, span: Span, start: int, end: int) -> str:
    return text[max(start, span.start - _NEAR) : min(end, span.end + _NEAR)]


def _span(item: DraftItem, text: str, start: int, end: int) -> Span | None:
    quote = item.quote.strip()
    if not quote:
        return None
    exact = text.find(quote, start, end)
    if exact >= 0:
        return Span(start=exact, end=exact + len(quote), quote=quote)
    if (spaced := _spaced(quote, text[start:end])) is not None:
        first, last = start + spaced[0], start + spaced[1]
        return Span(start=first, end=last, quote=text[first:last])
    if len(quote) > end - start:
        return None
    near = fuzz.partial_ratio_alignment(quote, text[start:end], score_cutoff=_LIKE_ENOUGH)
    if near is None:
        return None
    first, last = start + near.dest_start, start + near.dest_end
    return Span(start=first, end=last, quote=text[first:last])


def _spaced(quote: str, text: str) -> tuple[int, int] | None:
    """Return where the words of `quote` stand in `text`, however they are spaced and capitalised there."""
    pieces = list(_PIECE.finditer(text))
    # Word by word, and each with one space before it, so that a place is easily found again.
    starts = list(accumulate((len(piece.group()) + 1 for piece in pieces), initial=1))
    spoken = " ".join(quote.split())
    at = _lower("".join(f" {piece.group()}" for piece in pieces)).find(_lower(spoken))
    if at < 0:
        return None
    first, last = bisect(starts, at) - 1, bisect(starts, at + len(spoken) - 1) - 1
    end = at + len(spoken) - starts[last]
    return pieces[first].start() + at - starts[first], pieces[last].start() + end


def _lower(text: str) -> str:
    """Lower-case without a change of length, which some letters of Turkish bring about."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text
