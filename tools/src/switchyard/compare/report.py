"""The report on a comparison, as HTML: everything in it comes from the JSON document beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from switchyard.compare.quality import word_diff
from switchyard.compare.verdict import Document, verdict
from switchyard.reports import render

_MOST_ANSWERS = 100


def page(document: Document) -> str:
    """Return the report as a page."""
    return render(
        "comparison.html", title=f"{document['a']} and {document['b']} compared", comparison=context(document)
    )


def context(document: Document) -> dict[str, Any]:
    """Return what the template of a comparison needs."""
    answers = sorted(document["answers"], key=lambda pair: pair["likeness"])[:_MOST_ANSWERS]
    return {
        "document": document,
        "verdict": verdict(document),
        "plots": _plots(document),
        "answers": [
            (pair, word_diff(pair["a"]["text"], pair["b"]["text"]), {side: _cited(pair[side]) for side in ("a", "b")})
            for pair in answers
        ],
    }


def _cited(answer: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(f"{title}, page {page}" for _, page, title in answer["citations"]))


def _plots(document: Document) -> dict[str, Markup]:
    from switchyard.compare.plots import bars, lines

    sides = (document["a"], document["b"])
    levels = {(level["backend"], level["users"]): level for level in document["levels"]}
    users = [each for each in document["users"] if any((name, each) in levels for name in sides)]
    if not users:
        return {}

    def values(backend: str, key: str, point: str = "") -> list[float | None]:
        figures = [levels.get((backend, each), {}).get(key) for each in users]
        return [(value or {}).get(point) for value in figures] if point else figures

    def times(key: str) -> Markup:
        styles = (("p50", "-"), ("p95", "--"))
        return lines(
            "seconds",
            users,
            [(f"{name} {p}", values(name, key, p), n, style) for n, name in enumerate(sides) for p, style in styles],
        )

    def failures(backend: str) -> Sequence[float | None]:
        shares = zip(values(backend, "failed"), values(backend, "requests"), strict=True)
        return [100 * failed / requests if failed is not None and requests else None for failed, requests in shares]

    rates = [(name, values(name, "tokens_per_second"), n, "-") for n, name in enumerate(sides)]
    return {
        "first_token": times("first_token"),
        "seconds": times("seconds"),
        "throughput": lines("tokens/s, all users together", users, rates),
        "failures": bars("% of requests", users, {name: failures(name) for name in sides}),
    }
