"""The reading order of lines of text on a picture that may be askew, or show the page from aslant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import atan2, cos, pi, sin
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Corners: TypeAlias = NDArray[np.float64]
"""Four points in pixels (x, y), from the top left clockwise as one reads."""
Place: TypeAlias = tuple[int, int, int]
"""Block, paragraph and row, counted from 0."""

_SAME_ROW = 0.5
"""Share of the lower of two lines' height by which one may be beside the other's way."""
_LONG = 4.0
"""Heights that a line must be wide for its own slope to be known."""
_NEXT_PARAGRAPH = 0.9
"""Share of a line's height; a gap of more is a blank line."""
_COLUMN_ROWS = 6
_COLUMN_WIDTH = 10.0
"""Heights that a line of a column of running text is wide; numbers in a table are narrower."""


@dataclass(slots=True)
class _Line:
    number: int
    left: float
    right: float
    start: float
    """Height of its middle at its left end; rows count downwards."""
    end: float
    height: float

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    @property
    def width(self) -> float:
        return self.right - self.left

    def way(self, across: float) -> float:
        """Return where the line would go on."""
        slope = (self.end - self.start) / self.width if self.width > _LONG * self.height else 0.0
        return self.end + slope * (across - self.right)


@dataclass(slots=True)
class _Row:
    lines: list[_Line] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return sum(line.middle * line.width for line in self.lines) / sum(line.width for line in self.lines)


def box_of(corners: Corners) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of what holds all points."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def in_order(corners: Sequence[Corners]) -> Iterator[tuple[Place, int]]:
    """Yield the place and the number of each line: rows from top to bottom, those of columns one column after the other."""
    paragraph = row_number = 0
    for block, lines in enumerate(_blocks(_level(corners))):
        before: _Row | None = None
        for row in _rows(lines):
            if before is not None and _gap(before, row) > _NEXT_PARAGRAPH:
                paragraph += 1
            for line in row.lines:
                yield (block, paragraph, row_number), line.number
            before, row_number = row, row_number + 1


def _level(corners: Sequence[Corners]) -> list[_Line]:
    """Turn the lines by what most of them are askew."""
    if not corners:
        return []
    long = [each for each in corners if _width(each) > _LONG * _height(each)]
    angle = float(np.median([_angle(each) for each in long])) if long else 0.0
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    lines = []
    for number, points in enumerate(each @ turn for each in corners):
        (left, start), (right, end) = (points[0] + points[3]) / 2, (points[1] + points[2]) / 2
        lines.append(_Line(number, left, max(right, left + 1), start, end, max(1.0, _height(points))))
    return lines


def _angle(corners: Corners) -> float:
    across, down = corners[1] - corners[0] + corners[2] - corners[3]
    angle = atan2(down, across)
    return angle if abs(angle) < pi / 4 else 0.0


def _width(corners: Corners) -> float:
    return float(np.linalg.norm(corners[1] - corners[0]))


def _height(corners: Corners) -> float:
    return float(np.linalg.norm(corners[3] - corners[0]))


def _rows(lines: Sequence[_Line]) -> list[_Row]:
    rows: list[_Row] = []
    for line in sorted(lines, key=lambda line: line.left):
        best, nearest = None, 1.0
        for row in rows:
            last = row.lines[-1]
            beside = abs(last.way(line.left) - line.start) / (_SAME_ROW * min(last.height, line.height))
            if beside < nearest and line.left > last.right - last.height:
                best, nearest = row, beside
        if best is None:
            rows.append(_Row([line]))
        else:
            best.lines.append(line)
    return sorted(rows, key=lambda row: row.middle)


def _gap(above: _Row, below: _Row) -> float:
    """Return the space between two rows, in heights of the lower of their lines."""
    height = min(line.height for row in (above, below) for line in row.lines)
    return (below.middle - above.middle - height) / height


def _blocks(lines: list[_Line]) -> list[list[_Line]]:
    """Cut the page at a gutter between two columns of running text; what reaches over it stands before or between them."""
    gutter = _gutter(lines)
    if gutter is None:
        return [lines]
    blocks: list[list[_Line]] = []
    left, right = list[_Line](), list[_Line]()
    for line in sorted(lines, key=lambda line: line.middle):
        if line.right <= gutter:
            left.append(line)
        elif line.left >= gutter:
            right.append(line)
        else:
            blocks += [left, right, [line]]
            left, right = [], []
    return [block for block in (*blocks, left, right) if block]


def _gutter(lines: Sequence[_Line]) -> float | None:
    """Return where no line of running text passes, but enough of them stand on both sides."""
    text = [line for line in lines if line.width > _COLUMN_WIDTH * line.height]
    best: tuple[int, float] | None = None
    for line in text:
        at = line.right + line.height / 4
        left = sum(other.right <= at for other in text)
        right = sum(other.left >= at for other in text)
        over = len(text) - left - right
        if (
            min(left, right) >= _COLUMN_ROWS
            and over <= min(left, right) / 3
            and (best is None or left + right > best[0])
        ):
            best = (left + right, at)
    return best[1] if best else None
