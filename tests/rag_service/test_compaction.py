"""Neighbouring chunks are joined, near-duplicates left out."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rag_service.compaction import compacted
from rag_service.ranking import Passage

PAGE = "The ferry leaves at nine. Tickets are sold on board.\n\nDogs travel free of charge. The crossing takes an hour."
BASE = Passage(1, "doc", 0, "Harbour", "h.md", "en", 1, 0, len(PAGE), "", PAGE, 0.9)


def part(start: int, end: int, **changes: object) -> Passage:
    return replace(BASE, start=start, end=end, text=PAGE[start:end], **changes)  # type: ignore[arg-type]


def test_neighbours_become_one_passage_of_the_page() -> None:
    later, earlier = part(26, 80, score=0.9), part(0, 52, score=0.4)
    (joined,) = compacted([later, earlier])
    assert (joined.start, joined.end, joined.text, joined.score) == (0, 80, PAGE[:80], 0.9)
    (joined,) = compacted([part(0, 52), part(54, len(PAGE), ordinal=1)])
    assert joined.text == PAGE


def test_parts_of_other_sections_pages_and_documents_stay_apart() -> None:
    for other in ({"heading": "Dogs"}, {"page": 2}, {"document_id": "other"}):
        assert len(compacted([part(0, 52), part(54, len(PAGE), **other)])) == 2


def test_a_joined_passage_does_not_grow_without_end() -> None:
    text = "".join(f"Buoy {number} is red. " for number in range(600))
    chunks = [replace(BASE, start=at, end=at + 1000, text=text[at : at + 1000]) for at in range(0, 8000, 950)]
    assert 1 < len(compacted(chunks)) < len(chunks)
    assert all(len(passage.text) <= 4000 for passage in compacted(chunks))


def test_what_says_the_same_is_left_out_and_another_number_is_not_the_same() -> None:
    copy = replace(BASE, document_id="copy", text=PAGE.upper())
    notice = replace(BASE, document_id="a", text="Exchange the fuse of part 4410-2301 at once, before the next trip.")
    other = replace(notice, document_id="b", text=notice.text.replace("2301", "2302"))
    assert compacted([BASE, copy, notice, other]) == [BASE, notice, other]


@given(st.lists(st.integers(1, len(PAGE) // 10), max_size=6), st.integers(0, 20), st.randoms())
def test_whatever_is_joined_is_what_the_page_says_there(cuts: list[int], overlap: int, dice: random.Random) -> None:
    bounds = sorted({0, *(10 * cut for cut in cuts), len(PAGE)})
    parts = [part(max(0, at - overlap), end, ordinal=n) for n, (at, end) in enumerate(pairwise(bounds))]
    dice.shuffle(parts)
    for passage in compacted(parts):
        assert passage.text == PAGE[passage.start : passage.end]


HEADER, RULE = "| Boat | Berth |", "| --- | --- |"
TABLE = "\n".join([HEADER, RULE, *(f"| Boat {number} | A{number} |" for number in range(9))])


def rows(start: int, end: int, **changes: object) -> Passage:
    """A chunk of a table: what stands on the page, behind the header row unless that is part of it."""
    lead = f"{HEADER}\n{RULE}\n" if start else ""
    return replace(BASE, start=start, end=end, text=lead + TABLE[start:end], **changes)  # type: ignore[arg-type]


def test_parts_of_a_table_are_joined_under_one_header_row() -> None:
    at = TABLE.index("| Boat 5")
    (joined,) = compacted([rows(at, len(TABLE), ordinal=1), rows(0, at - 1)])
    assert joined.text == TABLE
    first = TABLE.index("| Boat 2")
    (joined,) = compacted([rows(at, len(TABLE), ordinal=2), rows(first, at - 1, ordinal=1)])
    assert joined.text == f"{HEADER}\n{RULE}\n{TABLE[first:]}"


def test_places_on_the_page_are_those_of_the_rows() -> None:
    passage = rows(TABLE.index("| Boat 5"), len(TABLE))
    found = passage.text.index("| Boat 6")
    start, end, quote = passage.place(found, found + 15)
    assert TABLE[start:end] == quote == passage.text[found : found + 15]
    start, end, quote = passage.place(0, found + 15)  # from the repeated header row on
    assert TABLE[start:end] == quote
