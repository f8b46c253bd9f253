"""Shortest paths, against the library's own slower answer."""

from __future__ import annotations

import random
from array import array
from itertools import pairwise

import rustworkx

from graph_service.paths import _built, _shortest


def test_a_path_is_a_way_and_none_is_shorter() -> None:
    dice = random.Random(11)
    for _ in range(60):
        ids = [7 * n + 3 for n in range(dice.randint(4, 40))]
        ends = array("q", [dice.choice(ids) for _ in range(2 * dice.randint(2, 60))])
        copy = _built(1, ends)
        edges = set(zip(ends[::2], ends[1::2], strict=True))
        for _ in range(20):
            source, target = dice.sample(sorted(copy.places), 2) if len(copy.places) > 1 else (ends[0], ends[0])
            way = _shortest(copy, source, target)
            lengths = rustworkx.dijkstra_shortest_path_lengths(copy.graph, copy.places[source], lambda _: 1.0)
            if source == target:
                continue
            assert len(way) == (int(lengths[copy.places[target]]) + 1 if copy.places[target] in lengths else 0)
            if way:
                assert (way[0], way[-1]) == (source, target)
                assert all((a, b) in edges or (b, a) in edges for a, b in pairwise(way))
