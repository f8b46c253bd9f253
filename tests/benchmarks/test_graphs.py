"""The benchmark of graphs: a small one is made, asked, and connected."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from switchyard_benchmarks.cli import bench
from switchyard_benchmarks.graphs import measured


async def test_a_small_graph_is_measured() -> None:
    figures = await measured(200, 2000, 17)
    assert (figures["entities"], figures["relations"]) == (200, 2000)
    assert figures["connected"] > 0.9
    for what in ("neighbours", "path"):
        assert 0 < figures[f"{what}_p50_ms"] <= figures[f"{what}_p95_ms"]


def test_growing_graphs_are_a_table_and_plots(tmp_path: Path) -> None:
    asked = [
        "graph",
        "--entities",
        "400",
        "--relations",
        "2000",
        "--steps",
        "2",
        "--html",
        str(tmp_path / "graphs.html"),
    ]
    shown = CliRunner().invoke(bench, asked)
    assert shown.exit_code == 0, shown.output
    page = (tmp_path / "graphs.html").read_text()
    assert page.count("<svg") == 4
    assert "<td>1000</td>" in page
