"""Words of a page's text and words on its picture: which are which."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag_service.layout import SeenWord, placed


def seen(*words: str) -> list[SeenWord]:
    """Words on the picture; the left edge of each says which one it is."""
    return [SeenWord(word, (number / 1000, 0, 1, 1)) for number, word in enumerate(words)]


def which(text: str, *words: str) -> list[tuple[str, int]]:
    return [(text[word.start : word.end], round(word.box[0] * 1000)) for word in placed(text, seen(*words))]


def test_repeated_words_are_told_apart_by_their_neighbours() -> None:
    text = "The pump is off. The pump is on."
    assert which(text, *text.split()) == [(word, number) for number, word in enumerate(text.split())]
    assert which("is on.", "The", "pump", "is", "off.", "The", "pump", "is", "on.") == [("is", 6), ("on.", 7)]


def test_columns_may_come_in_another_order() -> None:
    text = "left one left two right one right two"
    found = which(text, "right", "one", "right", "two", "left", "one", "left", "two")
    assert found == [
        ("left", 4), ("one", 5), ("left", 6), ("two", 7), ("right", 0), ("one", 1), ("right", 2), ("two", 3)
    ]  # fmt: skip


def test_a_word_broken_over_two_lines_has_two_places() -> None:
    found = which("the reservation ends", "the", "reser", "vation", "ends")
    assert found == [("the", 0), ("reser", 1), ("vation", 2), ("ends", 3)]


def test_marks_of_markdown_are_not_on_the_picture() -> None:
    assert which("# **Rules** | 12 |", "Rules", "12") == [("**Rules**", 0), ("12", 1)]


def test_what_is_not_on_the_picture_has_no_place() -> None:
    assert which("seen and unseen", "seen", "elsewhere") == [("seen", 0)]
    assert which("", "word") == []
    assert which("word") == []


@given(
    st.lists(st.text(alphabet="ab-*", min_size=1, max_size=3), max_size=12), st.text(alphabet="ab-* \n", max_size=40)
)
def test_places_lie_in_the_text_and_no_place_is_given_twice(words: list[str], text: str) -> None:
    found = placed(text, seen(*words))
    assert all(0 <= word.start < word.end <= len(text) for word in found)
    assert len({word.box for word in found}) == len(found)
