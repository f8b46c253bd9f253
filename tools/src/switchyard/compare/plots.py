"""Plots as SVG that takes its text colour from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

# From the palette of Okabe and Ito: distinct for colour-blind readers too, on light and on dark.
COLOURS = ("#e69f00", "#0072b2")
_INK = "#010203"
_DROPPED = (
    (re.compile("<metadata>"), "</metadata>"),
    (re.compile(r"<defs>\s*+<style"), "</defs>"),
    (re.compile("<!--"), "-->"),
)
_FAMILY = re.compile(r"'DejaVu Sans'[^;\"]*")
_WIDE = 30.0

_STYLE: Any = {
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), _INK
    ),
    "grid.alpha": 0.15,
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "switchyard",
    # Names of backends are no formulas.
    "text.parse_math": False,
}

Series = tuple[str, Sequence[float | None], int, str]
"""Name, a value for each number of users (None: not measured), which colour, line style."""


def lines(unit: str, users: Sequence[int], series: Sequence[Series]) -> Markup:
    """Draw values over numbers of users; the scale is logarithmic where values lie far apart."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(unit, users)
        for name, values, colour, style in series:
            places = [place for place, value in enumerate(values) if value is not None]
            known = [value for value in values if value is not None]
            axes.plot(places, known, style, color=COLOURS[colour], label=_plain(name), marker="o", markersize=4)
        drawn = [value for _, values, _, _ in series for value in values if value]
        if drawn and max(drawn) / min(drawn) > _WIDE:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(bottom=0)
        return _svg(figure, axes)


def bars(unit: str, users: Sequence[int], series: Mapping[str, Sequence[float | None]]) -> Markup:
    """Draw a bar for each of `series`, side by side, at each number of users."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(unit, users)
        width = 0.8 / max(1, len(series))
        for number, (name, values) in enumerate(series.items()):
            places = [place - 0.4 + width * (number + 0.5) for place in range(len(values))]
            axes.bar(places, [value or 0 for value in values], width, color=COLOURS[number], label=_plain(name))
        axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
        return _svg(figure, axes)


def _axes(unit: str, users: Sequence[int]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 3.1), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.set_ylabel(unit)
    axes.set_xlabel("users at once")
    axes.set_xticks(range(len(users)), [str(each) for each in users])
    axes.set_xlim(-0.5, len(users) - 0.5)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> Markup:
    axes.legend(loc="best", frameon=False, fontsize=9)
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    drawn = written.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for begin, end in _DROPPED:
        drawn = _without(drawn, begin, end)
    drawn = _FAMILY.sub("system-ui, sans-serif", drawn).replace(_INK, "currentColor")
    return Markup(drawn)  # noqa: S704 - matplotlib escapes text


def _without(text: str, begin: re.Pattern[str], end: str) -> str:
    """Leave out everything from a beginning to the next end."""
    first, *others = begin.split(text)
    return first + "".join(other.partition(end)[2] for other in others)


def _plain(name: str) -> str:
    """Return a name that matplotlib does not leave out, as it does with those that begin with an underscore."""
    return name.lstrip("_")
