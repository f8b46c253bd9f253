"""The part of a report in which answers stand side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchyard.compare.quality import word_diff
from switchyard.compare.verdict import Document
from switchyard.markup import Raw, join, tag
from switchyard.showing import figure

_MOST_SHOWN = 100


def side_by_side(document: Document) -> Raw | None:
    """Return the answers to each question next to each other, what only one of them says marked."""
    answers = sorted(document["answers"], key=lambda pair: pair["likeness"])
    if not answers:
        return None
    shown = f"The least alike first; {min(len(answers), _MOST_SHOWN)} of {len(answers)}, the JSON file has all."
    return join(
        tag("h2", "Answers side by side"),
        tag("p", shown, class_="dim"),
        (_pair(document["a"], document["b"], pair) for pair in answers[:_MOST_SHOWN]),
    )


def _pair(a: str, b: str, pair: Mapping[str, Any]) -> Raw:
    pieces = word_diff(pair["a"]["text"], pair["b"]["text"])
    sides = (
        tag(
            "div", tag("h3", f"{name}, {figure(pair[side]['seconds'], 's')}"), _marked(pieces, side), _cited(pair[side])
        )
        for name, side in ((a, "a"), (b, "b"))
    )
    gold = tag("p", f"Known answer: {' / '.join(pair['gold'])}", class_="dim") if pair["gold"] else None
    summary = tag("summary", pair["question"], " ", tag("span", f"{pair['likeness']:.2f}", class_="dim"))
    return tag("details", summary, gold, tag("div", sides, class_="sides"))


def _marked(pieces: Sequence[tuple[bool, str, str]], side: str) -> Raw:
    own = ((same, left if side == "a" else right) for same, left, right in pieces)
    return join(text if same else tag("mark", text, class_=side) for same, text in own if text)


def _cited(answer: Mapping[str, Any]) -> Raw | None:
    cited = dict.fromkeys(f"{title}, page {page}" for _, page, title in answer["citations"])
    return tag("p", "Cites " + "; ".join(cited), class_="dim") if cited else None
