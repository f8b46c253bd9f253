"""The benchmark of graphs: a small one is made, asked, and connected."""

from __future__ import annotations

from switchyard_benchmarks.graphs import measured


async def test_a_small_graph_is_measured() -> None:
    figures = await measured(200, 2000, 17)
    assert (figures.entities, figures.relations) == (200, 2000)
    assert figures.connected > 0.9
    assert 0 < figures.neighbours[0] <= figures.neighbours[1]
    assert 0 < figures.paths[0] <= figures.paths[1]
    assert 0 < figures.evidence[0] <= figures.evidence[1]
