"""Times of many requests, and a run of measurements as a table, a JSON file and a page with plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from llm_providers.percentile import percentile

_WIDTH, _HEIGHT, _MARGIN = 640, 260, 56
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea")
_PERCENTS = (50, 95, 99)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds; nothing for no values."""
    return {f"p{percent}_ms": round(percentile(seconds, percent) * 1000, 1) for percent in _PERCENTS if seconds}


@dataclass(slots=True)
class Measurements:
    """Rows of figures by name; `plots` says which to draw: the figure along the bottom, and those above it."""

    title: str
    about: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    plots: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def show(self, console: Console) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        table = Table(*names, title=self.title)
        for row in self.rows:
            table.add_row(*(str(row.get(name, "")) for name in names))
        console.print(table)

    def write(self, json_file: Path | None, html_file: Path | None) -> None:
        """Write both files, where they are asked for; the page needs no other file and no network."""
        if json_file is not None:
            json_file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        if html_file is not None:
            html_file.write_text(self.page(), encoding="utf-8")

    def page(self) -> str:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        cells = ("".join(f"<td>{escape(str(row.get(name, '')))}</td>" for name in names) for row in self.rows)
        body = "".join(f"<tr>{line}</tr>" for line in cells)
        plots = "".join(_plot(self.rows, along, above) for along, above in self.plots)
        about = ", ".join(f"{escape(name)}: {escape(str(value))}" for name, value in self.about.items())
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}</title>'
            "<style>body{font:15px system-ui;margin:2em}table{border-collapse:collapse}"
            "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}svg{display:block;margin:1.5em 0}</style>"
            f"<h1>{escape(self.title)}</h1><p>{escape(self.at)}. {about}</p>{plots}"
            f"<table><tr>{head}</tr>{body}</table></html>\n"
        )


def _plot(rows: Sequence[dict[str, Any]], along: str, above: Sequence[str]) -> str:
    """Draw lines as SVG: one for each figure of `above`, over the values of `along`, which stand at equal distances."""
    drawn = [row for row in rows if any(name in row for name in above)]
    highest = max((float(row[name]) for row in drawn for name in above if name in row), default=0.0) or 1.0

    def x(place: int) -> float:
        return _MARGIN + place * (_WIDTH - 2 * _MARGIN) / max(1, len(drawn) - 1)

    def y(value: float) -> float:
        return _HEIGHT - _MARGIN - value / highest * (_HEIGHT - 2 * _MARGIN)

    parts = [f'<line x1="{_MARGIN}" y1="{y(0)}" x2="{_WIDTH - _MARGIN}" y2="{y(0)}" stroke="#888"/>']
    marks = (0.0, highest / 2, highest)
    parts += [f'<text x="{_MARGIN - 6}" y="{y(value):.0f}" text-anchor="end">{value:.4g}</text>' for value in marks]
    for place, row in enumerate(drawn):
        label = escape(str(row.get(along, "")))
        parts.append(f'<text x="{x(place):.0f}" y="{_HEIGHT - _MARGIN + 18}" text-anchor="middle">{label}</text>')
    for number, (name, colour) in enumerate(zip(above, _COLOURS, strict=False)):
        points = [(x(place), y(float(row[name]))) for place, row in enumerate(drawn) if name in row]
        line = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>' for across, up in points]
        parts.append(f'<text x="{_MARGIN + number * 130}" y="20" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(along)}</text>')
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" font-size="12">{"".join(parts)}</svg>'
