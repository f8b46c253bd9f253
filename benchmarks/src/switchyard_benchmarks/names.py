"""Which of made names are taken for one entity: by the rules of the graph-service, and by the likeness of their embeddings."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import combinations

from rich.console import Console
from rich.table import Table

from graph_service.resolution import Named, Resolution
from llm_providers.backends.embedded.encoder import Encoder
from service_kit.statements.normalisation import normalised

MADE, TRANSLATED = "names.txt", "names_translated.txt"
_THRESHOLDS = (0.90, 0.92, 0.94, 0.96, 0.98)
Truth = tuple[Named, int]
"""A name, and the number of its entity."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs of names that are one, how many of them were found, and those that were taken for one and are two."""

    there: int
    found: int
    wrong: list[tuple[str, str]]


def made_names(file: str) -> list[Truth]:
    """Read a file of this package, in a shuffled order."""
    lines = files(__package__).joinpath(file).read_text("utf-8").splitlines()
    rows = [
        (type_, number, text.strip())
        for number, line in enumerate(lines)
        if not line.startswith("#")
        for type_, _, names in [line.partition(": ")]
        for text in names.split("|")
    ]
    random.Random(3).shuffle(rows)  # noqa: S311
    return [(_named(identity, type_, text), number) for identity, (type_, number, text) in enumerate(rows, 1)]


def _named(identity: int, type_: str, text: str) -> Named:
    key = " ".join(word.rstrip(".") for word in normalised(text).split())
    return Named(identity, type_, key, text, identity, text, False, 1)


def by_rules(names: Sequence[Truth]) -> Scored:
    """Score the rules, with all names in one document."""
    entity = {name.id: number for name, number in names}
    resolution = Resolution([name for name, _ in names])
    groups = resolution.groups(dict.fromkeys(resolution.asked, frozenset({"document"})))
    return _scored(names, ((a, entity[a.id], b, entity[b.id]) for group in groups for a, b in combinations(group, 2)))


def by_likeness(names: Sequence[Truth], encoder: Encoder, threshold: float) -> Scored:
    """Score what a threshold of the cosine of two names' embeddings would join."""
    vectors = encoder.encode([name.text for name, _ in names])
    alike = vectors @ vectors.T >= threshold
    pairs = combinations(enumerate(names), 2)
    return _scored(names, ((*a, *b) for (i, a), (j, b) in pairs if a[0].type == b[0].type and alike[i, j]))


def _scored(names: Sequence[Truth], joined: Iterable[tuple[Named, int, Named, int]]) -> Scored:
    there = sum(one == other for (_, one), (_, other) in combinations(names, 2))
    found, wrong = 0, list[tuple[str, str]]()
    for name, number, other, of_other in joined:
        if number == of_other:
            found += 1
        else:
            wrong.append((name.text, other.text))
    return Scored(there, found, wrong)


def measured(encoder: Encoder) -> Iterator[tuple[str, str, Scored]]:
    """Yield the set, the way, and its score."""
    for file in (MADE, TRANSLATED):
        names = made_names(file)
        yield file, "rules", by_rules(names)
        for threshold in _THRESHOLDS:
            yield file, f"likeness ≥ {threshold:.2f}", by_likeness(names, encoder, threshold)


def show(console: Console, encoder: Encoder) -> None:
    table = Table("names", "joined by", "pairs that are one", "found", "wrong")
    for file, way, scored in measured(encoder):
        table.add_row(file, way, str(scored.there), str(scored.found), str(len(scored.wrong)))
    console.print(table)
