"""The layout of a PDF page: columns are read one after the other, in whatever order they were drawn, and tables by rows.

Words that stand side by side with wide gaps make rows of segments; consecutive rows whose segments leave the same strips
free make a block. A block of long lines is text in columns, one of short cells a table. A page without such a block keeps
the order in which it was drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from statistics import median

from doc_processor import markdown

Strip = tuple[float, float]
Line = tuple[float, float, float]
"""A level line that is drawn: from left to right, and how high."""
_BROKEN = re.compile("[\u0002\ufffe] ")
LIST_MARK = re.compile(r"[•◦▪‣·*–—-]|(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)]|\(\w{1,3}\)")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_GAP, _STRIP, _WIDE = 0.42, 0.3, 0.75
"""In heights of a word: what parts segments, how wide a free strip is, and how wide one between columns of text."""
_LEVEL = 0.7
"""Share of the smaller word's height that words of one line have in common."""
_BESIDE = 0.95
_TURNED = 0.2
_MOST_WORDS = 5000
_LONG_LINE = 3.5
"""Words of a line in a column of text, at the median."""
_COLUMN_FILL = 0.5
"""Share of a column's width that its lines fill, at the median."""
_MOST_COLUMNS = 4
_NAMED, _FILLED, _FILLED_PAIRS, _FORM = 0.75, 0.6, 0.8, 0.25
"""Shares of a table's columns that have names, of its cells that are filled (more of those of two columns), and of a form's cells that end in a colon."""
_LARGE, _HEADING_LINES = 1.2, 4
_WIDE_STEP, _LINE_STEP = 1.35, 1.4
_AWAY = 2.6
_SAME_LEVEL, _ACROSS = 3.0, 0.7
_SAME_COLUMN = 8.0
"""Points."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word at `start` to `end` of the text; coordinates in points, upwards."""

    start: int
    end: int
    left: float
    right: float
    bottom: float
    top: float
    colon: bool = False
    is_mark: bool = False
    """Whether it is a bullet or number before an item of a list."""
    upright: bool = True
    """Whether it runs from left to right."""

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def is_level(self, other: Word) -> bool:
        """Whether another word, which may be a small one set high or low, stands in the same line."""
        common = min(self.top, other.top) - max(self.bottom, other.bottom)
        return common >= _LEVEL * min(self.height, other.height)


@dataclass(slots=True)
class Segment:
    """Words of one line that stand together."""

    words: list[Word]

    @property
    def left(self) -> float:
        return self.words[0].left

    @property
    def right(self) -> float:
        return max(word.right for word in self.words)

    @property
    def middle(self) -> float:
        return self.words[0].middle

    @property
    def height(self) -> float:
        return self.words[0].height

    @property
    def is_label(self) -> bool:
        return self.words[-1].colon


@dataclass(slots=True)
class Block:
    """Consecutive rows, and the strips that all of them leave free between columns."""

    rows: list[list[Segment]]
    strips: list[Strip] = field(default_factory=list)
    rules: list[float] = field(default_factory=list)
    """Where lines are drawn across the block, from top to bottom."""
    rest: list[Strip] = field(default_factory=list)
    """The strips of too few rows for a table, with which one of the page before may end."""

    @property
    def table_rows(self) -> list[list[Segment]]:
        """The rows of a table: what stands between two lines, where it is ruled, else the lines of text."""
        if not self.rules:
            return self.rows
        found: dict[int, list[Segment]] = {}
        for row in self.rows:
            found.setdefault(sum(rule > row[0].middle for rule in self.rules), []).extend(row)
        return list(found.values())

    def column(self, segment: Segment) -> int:
        middle = (segment.left + segment.right) / 2
        return sum(middle > (left + right) / 2 for left, right in self.strips)

    def columns(self) -> list[list[Segment]]:
        """List the lines of each column, from top to bottom."""
        found: list[list[Segment]] = [[] for _ in range(len(self.strips) + 1)]
        for row in self.rows:
            lines: dict[int, list[Word]] = {}
            for segment in row:
                lines.setdefault(self.column(segment), []).extend(segment.words)
            for column, words in lines.items():
                found[column].append(Segment(words))
        return found

    @property
    def is_text(self) -> bool:
        """Whether the columns are columns of text: their lines are long, and fill them."""
        columns = self.columns()
        if self.rules or self._is_narrow or len(columns) > _MOST_COLUMNS or min(map(len, columns)) < 3:
            return False
        for column in columns:
            width = max(each.right for each in column) - min(each.left for each in column)
            if median(len(each.words) for each in column) < _LONG_LINE:
                return False
            if median(each.right - each.left for each in column) < _COLUMN_FILL * width:
                return False
        return len(self.rows) >= 4

    @property
    def _is_narrow(self) -> bool:
        """Whether a strip is no wider than gaps between the words of a justified line may be."""
        return min(right - left for left, right in self.strips) < _WIDE * self.rows[0][0].height

    @property
    def is_table(self) -> bool:
        """Whether the columns are those of a table: named in its first row, mostly filled, and not those of a form."""
        rows = self.table_rows
        filled = [len({self.column(segment) for segment in row}) for row in rows]
        width = len(self.strips) + 1
        labels = sum(segment.is_label for row in self.rows for segment in row)
        return (
            len(rows) >= (2 if self.rules else 3)
            and filled[0] >= _NAMED * width
            and sum(filled) >= (_FILLED if width > 2 else _FILLED_PAIRS) * width * len(filled)
            and labels < _FORM * sum(filled)
            and not self._is_list
            and (bool(self.rules) or not self._is_narrow or self._has_short_cells)
        )

    @property
    def _has_short_cells(self) -> bool:
        return sum(len(each.words) for column in self.columns() for each in column) < _LONG_LINE * sum(
            map(len, self.columns())
        )

    @property
    def _is_list(self) -> bool:
        first = self.columns()[0]
        return sum(len(each.words) == 1 and each.words[0].is_mark for each in first) > 0.5 * len(first)


@dataclass(frozen=True, slots=True)
class TableEdge:
    """A table at the end of a page: the strips between its columns, and its header row."""

    strips: tuple[Strip, ...]
    header: tuple[str, ...]

    def goes_on(self, block: Block) -> bool:
        """Whether a table has the same columns: what is in them moves one side of a strip or the other."""
        return len(block.strips) == len(self.strips) and all(
            min(abs(one[0] - two[0]), abs(one[1] - two[1]), abs(sum(one) - sum(two)) / 2) < _SAME_COLUMN
            for one, two in zip(self.strips, block.strips, strict=True)
        )


@dataclass(slots=True)
class Layout:
    """A page's blocks from top to bottom."""

    text: str
    blocks: list[Block]

    @property
    def is_plain(self) -> bool:
        return not any(block.strips for block in self.blocks)

    @property
    def may_go_on(self) -> bool:
        """Whether the page begins with a table, or with rows that one of the page before may end with."""
        return self.first_table() is not None or bool(self.blocks and self.blocks[0].rest)

    def go_on(self, continued: TableEdge | None) -> None:
        """Take the page's first rows for the end of the table of the page before, if they have its columns."""
        first = self.blocks[0] if self.blocks else None
        if first is not None and first.rest and continued is not None:
            block = Block(first.rows, first.rest)
            if continued.goes_on(block):
                self.blocks[0] = block

    def heading(self) -> str:
        """Return the page's largest words, if they are clearly larger than the others: what a reader takes for its title."""
        lines = [segment for block in self.blocks for row in block.rows for segment in row]
        usual = median(word.height for line in lines for word in line.words)
        largest = max(line.height for line in lines)
        if largest < _LARGE * usual:
            return ""
        found = [line for line in lines if line.height > 0.95 * largest]
        return " ".join(self._words(line) for line in found[:_HEADING_LINES])

    def first_table(self) -> Block | None:
        """The table with which the page begins, but for a line or two of a running head."""
        return _at_edge(self.blocks)

    def last_table(self) -> Block | None:
        return _at_edge(self.blocks[::-1])

    def edge(self, continued: TableEdge | None) -> TableEdge | None:
        """Return the table that may go on on the next page; `continued` is that of the page before."""
        block = self.last_table()
        if block is None:
            return None
        if block is self.first_table() and continued is not None and continued.goes_on(block):
            return TableEdge(tuple(block.strips), continued.header)
        return TableEdge(tuple(block.strips), tuple(self._table_rows(block)[0]))

    def written(self, continued: TableEdge | None = None) -> str:
        """Return the text in reading order; a table that a page before began has its header row repeated."""
        parts = []
        for block in self.blocks:
            if block.strips and not block.is_text:
                rows = self._table_rows(block)
                goes_on = continued is not None and block is self.first_table() and continued.goes_on(block)
                if continued is not None and goes_on and tuple(rows[0]) != continued.header:
                    rows.insert(0, list(continued.header))
                parts.append(markdown.table(rows))
            elif block.strips:
                parts += [self._lines([[segment] for segment in column]) for column in block.columns()]
            else:
                parts.append(self._lines(block.rows))
        return "\n\n".join(part for part in parts if part.strip())

    def _lines(self, rows: Sequence[Sequence[Segment]]) -> str:
        """Write rows as lines, with a blank one where the step down is clearly wider than is usual."""
        steps = [above[0].middle - below[0].middle for above, below in pairwise(rows)]
        usual = median(steps) if len(steps) >= 3 else 0
        lines = []
        for place, row in enumerate(rows):
            if place and usual and steps[place - 1] > _WIDE_STEP * usual:
                lines.append("")
            lines.append(" ".join(self._words(segment) for segment in row))
        return "\r\n".join(lines)

    def _words(self, segment: Segment) -> str:
        return " ".join(self.text[word.start : word.end] for word in segment.words)

    def _table_rows(self, block: Block) -> list[list[str]]:
        rows: list[list[str]] = []
        before: list[Segment] = []
        steps = [above[0].middle - below[0].middle for above, below in pairwise(block.rows)]
        usual = median(steps) if steps else 0
        for place, row in enumerate(block.table_rows):
            cells = [""] * (len(block.strips) + 1)
            for segment in row:
                column = block.column(segment)
                cells[column] = _joined_words(cells[column], self._words(segment))
            filled = sum(map(bool, cells))
            close = place > 0 and before[0].middle - row[0].middle <= min(_WIDE_STEP * row[0].height, 1.01 * usual)
            if rows and not block.rules and not cells[0] and filled <= len(cells) / 2 and close:
                # The second line of a cell.
                rows[-1] = [_joined_words(above, cell) for above, cell in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(cells)
            before = row
        return rows


def _joined_words(one: str, other: str) -> str:
    return _BROKEN.sub("", f"{one} {other}".strip())


def layout(text: str, words: Sequence[Word], lines: Callable[[], Sequence[Line]] = tuple) -> Layout | None:
    """Return the blocks of a page; None for a page whose words do not stand in upright lines from left to right.

    `lines` tells which level lines are drawn on the page; it is asked only where there are columns.
    """
    if not 6 <= len(words) <= _MOST_WORDS:
        return None
    turned = sum(not word.upright for word in words)
    if turned > _TURNED * len(words) or len(_RIGHT_TO_LEFT.findall(text)) > 0.1 * len(text):
        return None
    return Layout(text, _blocks(_rows(words), cache(lines)))


def _rows(words: Sequence[Word]) -> list[list[Segment]]:
    """Put words into rows from top to bottom, and part each where gaps are wide."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda each: -each.middle):
        if rows and rows[-1][0].is_level(word):
            rows[-1].append(word)
        else:
            rows.append([word])
    found: list[list[Segment]] = []
    for segments in (_segments(sorted(row, key=lambda each: each.left)) for row in rows):
        if found and _is_beside(found[-1], segments):
            found[-1] = sorted([*found[-1], *segments], key=lambda each: each.left)
        else:
            found.append(segments)
    return found


def _is_beside(row: Sequence[Segment], other: Sequence[Segment]) -> bool:
    """Whether words that stand less than a line lower stand beside a row, as in columns whose lines are not level."""
    height = min(row[0].height, other[0].height)
    if max(each.middle for each in row) - max(each.middle for each in other) > _BESIDE * height:
        return False
    return all(
        one.right + _GAP * height < two.left or two.right + _GAP * height < one.left for one in row for two in other
    )


def _segments(row: Sequence[Word]) -> list[Segment]:
    segments = [Segment([row[0]])]
    for before, word in pairwise(row):
        if word.left - before.right > _GAP * max(1.0, min(word.height, before.height)):
            segments.append(Segment([word]))
        else:
            segments[-1].words.append(word)
    return segments


def _blocks(rows: Sequence[list[Segment]], lines: Callable[[], Sequence[Line]]) -> list[Block]:
    found: list[Block] = []
    current: list[list[Segment]] = []
    strips: list[Strip] = []
    for row in rows:
        joined = _narrowed(strips, row) if current else []
        if current and _joins(current, strips, joined, row):
            current.append(row)
            strips = joined
            continue
        if current:
            _close(found, current, strips, lines)
        own = _between(row)
        if own:
            current, strips = [row], own
        else:
            found.append(Block([row]))
            current, strips = [], []
    if current:
        _close(found, current, strips, lines)
    return list(_merged(found))


def _joins(current: Sequence[list[Segment]], strips: list[Strip], joined: list[Strip], row: list[Segment]) -> bool:
    """Whether a row goes on with a block: it leaves the strips free that the rows before do, and is near."""
    if not joined or (len(joined) < len(strips) and len(current) >= 3):
        return False
    short = median(len(segment.words) for segment in row) < _LONG_LINE
    if len(current) <= 2 and short and len(_between(row)) > len(strips):
        return False  # what came before was above the table
    step = current[-1][0].middle - row[0].middle
    if len(current) >= 2:
        usual = median(above[0].middle - below[0].middle for above, below in pairwise(current))
        return step <= _AWAY * usual
    return step <= _AWAY * 1.5 * row[0].height


def _close(
    found: list[Block], rows: list[list[Segment]], strips: list[Strip], lines: Callable[[], Sequence[Line]]
) -> None:
    """Add a block, with the rows before it that have its columns too, such as a header without a name for the first."""
    block = Block(rows, strips)
    if len(rows) >= 2:
        block.rules = _across(block, lines()) or _gaps(block)
    if not (block.is_text or block.is_table):
        found.append(Block(rows, rest=strips if len(rows) < 3 and not found else []))
        return
    while block.is_table and found and not found[-1].strips:
        above = found[-1].rows[-1]
        near = above[0].middle - block.rows[0][0].middle <= _AWAY * above[0].height
        taller = Block([above, *block.rows], strips)
        if len(above) < 2 or not near or len(_narrowed(strips, above)) < len(strips) or not taller.is_table:
            break
        block = taller
        found[-1].rows.pop()
        if not found[-1].rows:
            found.pop()
    if block.rules and block.is_table and found and all(len(row) == 1 for each in found for row in each.rows):
        # The first lines of a cell with which the page begins.
        first = [row for each in found for row in each.rows]
        near = first[-1][0].middle - block.rows[0][0].middle <= _LINE_STEP * first[-1][0].height
        if near and all(len(_narrowed(strips, row)) == len(strips) for row in first):
            block.rows[:0] = first
            found.clear()
    block.rules = _across(block, lines()) or _gaps(block)
    if not (block.is_table or block.is_text):
        block = Block(block.rows)
    found.append(block)


def _across(block: Block, lines: Sequence[Line]) -> list[float]:
    """Return where lines cross most of a block's width, if they part its rows; from top to bottom."""
    segments = [segment for row in block.rows for segment in row]
    left, right = min(each.left for each in segments), max(each.right for each in segments)
    top, bottom = block.rows[0][0].middle, block.rows[-1][0].middle
    levels: dict[int, list[Line]] = {}
    for line in lines:
        if bottom < line[2] < top and line[1] > left and line[0] < right:
            levels.setdefault(round(line[2] / _SAME_LEVEL), []).append(line)
    found = []
    for level in levels.values():
        covered, end = 0.0, left
        for begin, stop, _ in sorted(level):
            covered += max(0.0, min(stop, right) - max(begin, end))
            end = max(end, stop)
        if covered >= _ACROSS * (right - left):
            found.append(level[0][2])
    parted = {sum(rule > row[0].middle for rule in found) for row in block.rows}
    return sorted(found, reverse=True) if len(parted) >= 3 else []


def _gaps(block: Block) -> list[float]:
    """Return where rows of several lines end, by wider gaps, if then each row has one line in its first column."""
    steps = [above[0].middle - below[0].middle for above, below in pairwise(block.rows)]
    least = min(steps, default=0.0)
    if not steps or least > _LINE_STEP * block.rows[0][0].height or max(steps) < _WIDE_STEP * least:
        return []
    found = [
        (above[0].middle + below[0].middle) / 2
        for (above, below), step in zip(pairwise(block.rows), steps, strict=True)
        if step > (1 + _WIDE_STEP) / 2 * least
    ]
    firsts = [sum(rule > each.middle for rule in found) for each in block.columns()[0]]
    return found if len(firsts) == len(set(firsts)) == len(found) + 1 else []


def _merged(blocks: Sequence[Block]) -> Iterator[Block]:
    """Join neighbouring blocks of plain lines."""
    lines: list[list[Segment]] = []
    for block in blocks:
        if block.strips or block.rest:
            if lines:
                yield Block(lines)
            yield block
            lines = []
        else:
            lines = [*lines, *block.rows] if len(lines) < 3 else lines + block.rows
    if lines:
        yield Block(lines)


def _between(row: Sequence[Segment]) -> list[Strip]:
    return [(before.right, after.left) for before, after in pairwise(row)]


def _narrowed(strips: Sequence[Strip], row: Sequence[Segment]) -> list[Strip]:
    """Return what a row leaves free of strips, where that is wide enough."""
    least = _STRIP * row[0].height
    free = list(strips)
    for segment in row:
        parts: list[Strip] = []
        for left, right in free:
            if segment.right <= left or segment.left >= right:
                parts.append((left, right))
            else:
                # What covers a strip's middle takes it away; what reaches into it from one side narrows it.
                pieces = [(left, min(right, segment.left)), (max(left, segment.right), right)]
                wide = [piece for piece in pieces if piece[1] - piece[0] >= least]
                parts += wide[:1] if len(wide) == 1 else []
        free = parts
    return free


def _at_edge(blocks: Sequence[Block]) -> Block | None:
    lines = 0
    for block in blocks:
        if block.strips:
            return None if block.is_text else block
        lines += len(block.rows)
        if lines > 2:
            return None
    return None
