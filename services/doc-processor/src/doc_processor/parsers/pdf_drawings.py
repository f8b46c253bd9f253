"""Charts and diagrams that a PDF page draws with lines and shapes, rather than as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ctypes import c_float, c_int
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium_c

_MOST_PATHS, _MOST_SEGMENTS, _MOST_OF_PATH = 5000, 20_000, 300
_GRID = 64
"""Cells along each side of the page; shapes in cells that touch belong together."""
_PAGE = 0.85
"""Share of the page from which on a shape is its background or frame."""
_SMALLEST = 60.0
"""Points, of either side."""
_MOST_MARKS = 3
"""Curves and sloped lines that marks beside a text may have."""
_FEWEST_BARS = 3
Box = tuple[float, float, float, float]


@dataclass(slots=True)
class _Drawing:
    """Shapes that stand together; `bars` maps the places of rectangles that stand on one line to their lengths."""

    box: Box
    slopes: int = 0
    bars: defaultdict[tuple[str, int, int], set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, shape: _Shape) -> None:
        self.box = _around(self.box, shape.box)
        self.slopes += shape.slopes
        if shape.is_bar:
            left, bottom, right, top = map(round, shape.box)
            self.bars["upright", bottom, right - left].add(top - bottom)
            self.bars["level", left, top - bottom].add(right - left)

    @property
    def says_something(self) -> bool:
        """Whether this is more than the rules and grounds of text and tables, which have straight edges and equal lengths."""
        return self.slopes > _MOST_MARKS or any(len(lengths) >= _FEWEST_BARS for lengths in self.bars.values())


@dataclass(frozen=True, slots=True)
class _Shape:
    box: Box
    slopes: int
    is_bar: bool


def drawings(page: Any) -> list[Box]:
    """Return where the drawings of a page stand, each as (left, bottom, right, top) in points."""
    shown: Box = page.get_bbox()
    shapes = [shape for shape in _shapes(page) if _share(shape.box, shown) < _PAGE]
    part = _parts([shape.box for shape in shapes], shown)
    found: dict[int, _Drawing] = {}
    for shape in shapes:
        found.setdefault(int(part[_cells(shape.box, shown)][0, 0]), _Drawing(shape.box)).add(shape)
    return [each.box for each in found.values() if each.says_something and _is_large(each.box, shown)]


def _shapes(page: Any) -> Iterator[_Shape]:
    """Yield the paths of a page; those of an embedded drawing have places in its own space, and so stand where it does."""
    left = _MOST_SEGMENTS
    for path in islice(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_PATH], max_depth=4), _MOST_PATHS):
        outermost = path
        while outermost.container is not None:
            outermost = outermost.container
        segments = min(left, _MOST_OF_PATH, pdfium_c.FPDFPath_CountSegments(path))
        left -= segments
        slopes = _slopes(path, segments)
        yield _Shape(outermost.get_bounds(), slopes, slopes == 0 and outermost is path and _is_filled(path))


def _slopes(path: Any, segments: int) -> int:
    """Count the curves and the neither level nor upright lines of a path's first segments; a box with rounded corners has none."""
    curves = sloped = straight = 0
    x, y = c_float(), c_float()
    begun = before = (0.0, 0.0)
    for index in range(segments):
        segment = pdfium_c.FPDFPath_GetPathSegment(path, index)
        kind = pdfium_c.FPDFPathSegment_GetType(segment)
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        now = (x.value, y.value)
        lines = [(before, now)] if kind == pdfium_c.FPDF_SEGMENT_LINETO else []
        if kind == pdfium_c.FPDF_SEGMENT_MOVETO:
            begun = now
        if pdfium_c.FPDFPathSegment_GetClose(segment):
            lines.append((now, begun))
        curves += kind == pdfium_c.FPDF_SEGMENT_BEZIERTO
        sloped += sum(_is_sloped(*line) for line in lines)
        straight += len(lines)
        before = now
    # PDFium counts the three points of each curve.
    return sloped + (0 if curves == 3 * 4 and straight >= 4 and not sloped else curves // 3)


def _is_sloped(one: tuple[float, float], other: tuple[float, float]) -> bool:
    across, up = abs(one[0] - other[0]), abs(one[1] - other[1])
    return min(across, up) > max(across, up) / 100


def _is_filled(path: Any) -> bool:
    mode, is_stroked = c_int(), c_int()
    return bool(pdfium_c.FPDFPath_GetDrawMode(path, mode, is_stroked)) and mode.value != pdfium_c.FPDF_FILLMODE_NONE


def _parts(boxes: list[Box], shown: Box) -> Any:
    """Return a grid whose cells have the same number where they touch others that hold a shape; 0 where there is none."""
    taken = np.zeros((_GRID, _GRID), bool)
    for box in boxes:
        taken[_cells(box, shown)] = True
    part = np.zeros((_GRID, _GRID), int)
    for number, start in enumerate(np.argwhere(taken), 1):
        waiting = [(int(start[0]), int(start[1]))]
        while waiting:
            row, column = waiting.pop()
            if 0 <= row < _GRID and 0 <= column < _GRID and taken[row, column] and not part[row, column]:
                part[row, column] = number
                waiting += [(row + down, column + along) for down in (-1, 0, 1) for along in (-1, 0, 1)]
    return part


def _cells(box: Box, shown: Box) -> tuple[slice, slice]:
    left, bottom, right, top = shown
    size = max(1.0, right - left, top - bottom)
    first, last = ((max(0.0, x - left) / size, max(0.0, y - bottom) / size) for x, y in (box[:2], box[2:]))
    (column, row), (end_column, end_row) = (
        (min(_GRID - 1, int(x * _GRID)), min(_GRID - 1, int(y * _GRID))) for x, y in (first, last)
    )
    return slice(row, end_row + 1), slice(column, end_column + 1)


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _share(box: Box, shown: Box) -> float:
    whole = (shown[2] - shown[0]) * (shown[3] - shown[1])
    return (box[2] - box[0]) * (box[3] - box[1]) / max(1.0, whole)


def _is_large(box: Box, shown: Box) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= _SMALLEST and _share(box, shown) < _PAGE
