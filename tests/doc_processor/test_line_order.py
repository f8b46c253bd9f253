from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from doc_processor.ocr.line_order import in_order
from doc_processor.ocr.words import Word, in_lines


def line(left: float, top: float, width: float, height: float = 20.0) -> np.ndarray:
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]], float)


def turned(corners: np.ndarray, degrees: float) -> np.ndarray:
    turn = radians(degrees)
    return (corners - 500) @ np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]]) + 500


@pytest.mark.parametrize("degrees", [0, 3, -3, 8])
def test_rows_of_a_receipt_stay_together_however_askew(degrees: float) -> None:
    rows = [[line(100, 100 + 30 * row, 180), line(600, 104 + 30 * row, 60)] for row in range(12)]
    flat = [turned(each, degrees) for row in reversed(rows) for each in reversed(row)]
    order = [number for _, number in in_order(flat)]
    assert order == list(range(23, -1, -1))
    places = [place for place, _ in in_order(flat)]
    assert [place[2] for place in places] == [row for row in range(12) for _ in range(2)]


def test_a_row_is_followed_across_a_page_seen_from_aslant() -> None:
    """The upper rows rise, the lower ones fall, each by more than its height."""
    flat = []
    for row in range(9):
        slope = (row - 4) * 0.02
        for left in (100, 400, 700):
            corners = line(left, 100 + 60 * row, 200)
            corners[:, 1] += slope * (corners[:, 0] - 100)
            flat.append(corners)
    assert [number for _, number in in_order(flat)] == list(range(27))


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    left = [line(50, 200 + 30 * row, 400) for row in range(10)]
    right = [line(550, 205 + 30 * row, 400) for row in range(10)]
    across = [line(100, 100, 800, 40)]
    mixed = [each for pair in zip(left, right, strict=True) for each in pair]
    found = list(in_order([*mixed, *across]))
    assert [number for _, number in found] == [20, *range(0, 20, 2), *range(1, 20, 2)]
    assert len({place[0] for place, _ in found}) == 3


def test_a_gap_begins_a_paragraph() -> None:
    found = [place[1] for place, _ in in_order([line(50, top, 300) for top in (0, 26, 52, 120, 146)])]
    assert found == [0, 0, 0, 1, 1]


def test_nothing_has_no_order() -> None:
    assert list(in_order([])) == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["the cen-", "tury began"], "the century began"),
        (["great-great-", "grandfather"], "great-great-\ngrandfather"),
        (["Baden-", "Baden is"], "Baden-\nBaden is"),
        (["1914-", "1918"], "1914-\n1918"),
        (["a-", "side"], "a-\nside"),
    ],
)
def test_words_that_were_divided_are_whole(lines: list[str], text: str) -> None:
    words = [Word((0, 0, row), (0, 0, 1, 1), 90, word) for row, line in enumerate(lines) for word in line.split()]
    assert in_lines(words) == text
