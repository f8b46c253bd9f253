"""The report on a comparison, as HTML: everything in it comes from the JSON document beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from switchyard.compare.answers import side_by_side
from switchyard.compare.page import notes
from switchyard.compare.verdict import Document, verdict
from switchyard.markup import Raw, join, table, tag
from switchyard.showing import figure, moment

_POINTS = ("p50", "p95", "p99")


def sections(document: Document) -> Raw:
    """Return the body of the report on a comparison."""
    took = f"{moment(document['began'])}, {document['took_seconds']:.0f} s, {document['questions']} questions"
    partly = (
        "It was interrupted: the figures are of what was measured until then." if not document["complete"] else None
    )
    return join(
        tag("p", took, class_="dim"),
        tag("div", [tag("p", sentence) for sentence in verdict(document)], class_="verdict"),
        notes("Not complete", [partly] if partly else []),
        notes("Not equal, or doubtful", list(document["warnings"])),
        _speed(document),
        _quality(document),
        _environment(document),
        side_by_side(document),
    )


def _speed(document: Document) -> Raw | None:
    from switchyard.compare.plots import bars, lines

    sides, levels = (document["a"], document["b"]), document["levels"]
    users = [each for each in document["users"] if any(level["users"] == each for level in levels)]
    if not users:
        return None

    def values(backend: str, key: str, point: str = "") -> list[float | None]:
        found = {level["users"]: level[key] for level in levels if level["backend"] == backend}
        return [(found.get(each) or {}).get(point) if point else found.get(each) for each in users]

    def times(title: str, key: str) -> Raw:
        styles = (("p50", "-"), ("p95", "--"))
        series = [
            (f"{name} {p}", values(name, key, p), n, style) for n, name in enumerate(sides) for p, style in styles
        ]
        return join(tag("h3", title), lines(title, "seconds", users, series), _percentiles(levels, key))

    rates = [(name, values(name, "tokens_per_second"), n, "-") for n, name in enumerate(sides)]
    errors = {name: [_share(level) for level in _of(levels, name, users)] for name in sides}
    return join(
        tag("h2", "Speed"),
        times("First token", "first_token"),
        times("Whole answer", "seconds"),
        tag("h3", "Throughput"),
        lines("Throughput", "tokens/s, all users together", users, rates),
        _rates(levels),
        _gpus(levels),
        tag("h3", "Errors"),
        bars("Requests that failed", "% of requests", users, errors) if document["failures"] else None,
        _errors(document),
    )


def _of(levels: Sequence[Mapping[str, Any]], backend: str, users: Sequence[int]) -> Iterator[Mapping[str, Any] | None]:
    found = {level["users"]: level for level in levels if level["backend"] == backend}
    return (found.get(each) for each in users)


def _share(level: Mapping[str, Any] | None) -> float | None:
    return 100 * level["failed"] / level["requests"] if level else None


def _percentiles(levels: Sequence[Mapping[str, Any]], key: str) -> Raw:
    rows = (
        (
            _name(level),
            str(level["users"]),
            *(figure((level[key] or {}).get(point), "s") for point in _POINTS),
            figure((level["search"] or {}).get("p50"), "s"),
        )
        for level in levels
    )
    return table(("backend", "users", *_POINTS, "of which search, p50"), rows)


def _rates(levels: Sequence[Mapping[str, Any]]) -> Raw:
    rows = (
        (
            _name(level),
            str(level["users"]),
            figure(level["requests_per_second"]),
            figure(level["tokens_per_second"]),
            figure(level["stream_tokens_per_second"]),
            figure(level["tokens"]),
            figure(level["wall_seconds"], "s"),
        )
        for level in levels
    )
    head = ("backend", "users", "answers/s", "tokens/s", "tokens/s of one answer", "tokens", "took")
    return table(head, rows)


def _gpus(levels: Sequence[Mapping[str, Any]]) -> Raw | None:
    rows = [
        (
            _name(level),
            str(level["users"]),
            f"{gpu['index']}: {gpu['name']}",
            f"{gpu['utilisation_mean']:.0f} %",
            f"{gpu['utilisation_max']:.0f} %",
            f"{gpu['memory_used_mib'] / 1024:.1f} of {gpu['memory_total_mib'] / 1024:.0f} GiB",
        )
        for level in levels
        for gpu in level["gpus"]
    ]
    head = ("backend", "users", "GPU", "busy, mean", "at most", "memory")
    return join(tag("h3", "GPUs of the machine the questions were sent from"), table(head, rows)) if rows else None


def _errors(document: Document) -> Raw:
    rows = (
        (
            _name(level),
            str(level["users"]),
            f"{level['failed']} of {level['requests']}",
            ", ".join(f"{kind}: {count}" for kind, count in level["errors"].items()) or "–",
        )
        for level in document["levels"]
    )
    examples = [tag("p", f"{each['backend']}, {each['error']}: {each['detail']}") for each in document["failures"]]
    return join(table(("backend", "users", "failed", "how"), rows), examples)


def _name(level: Mapping[str, Any]) -> str:
    return str(level["backend"]) if level["whole"] else f"{level['backend']} (interrupted)"


def _quality(document: Document) -> Raw:
    kinds = (
        ("answers", "answers", ""),
        ("answered rather than abstained", "answered", "%"),
        ("with citations", "cites", "%"),
        ("citations in an answer", "citations", ""),
        ("cut off at the longest length", "cut_short", "%"),
        ("made with a degraded search", "degraded", "%"),
        ("to questions with a known answer", "known", ""),
        ("holds the known answer", "holds_gold", "%"),
        ("token F1 with the known answer", "gold_f1", ""),
    )
    names, scored = (document["a"], document["b"]), document["quality"]
    rows = ((words, *(figure((scored[name] or {}).get(key), unit) for name in names)) for words, key, unit in kinds)
    agreement = document["agreement"]
    likeness = (
        ("questions both answered", figure(agreement["pairs"])),
        ("token F1 of the two answers", figure(agreement["likeness"])),
        ("cosine of their embeddings (MiniLM)", figure(agreement["cosine"])),
        ("shared citations (document and page)", figure(agreement["citation_overlap"])),
        ("both answered, or both abstained", figure(agreement["both_or_neither_answered"], "%")),
    )
    return join(tag("h2", "Quality"), table(("share of answers", *names), rows), table(("agreement", "mean"), likeness))


def _environment(document: Document) -> Raw:
    names, said = (document["a"], document["b"]), document["environment"]["backends"]
    models = {name: (said.get(name) or {}).get("text") or {} for name in names}
    keys = list(dict.fromkeys(key for name in names for key in models[name]))
    rows = ((key.replace("_", " "), *(_plain(models[name].get(key)) for name in names)) for key in keys)
    client = ((key.replace("_", " "), _plain(value)) for key, value in document["environment"]["client"].items())
    return join(
        tag("h2", "Environment"),
        tag("div", table(("", *names), rows), class_="words"),
        tag("div", table(("questions were sent from", ""), client), class_="words"),
    )


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)
