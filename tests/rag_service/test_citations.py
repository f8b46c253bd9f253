"""Citations are looked up in the passages they name."""

from __future__ import annotations

import pytest

from rag_service.citations import check
from rag_service.ranking import Passage

TEXT = "Boats are rented by the hour.\nA rowing boat costs nine euros,\nand a canoe seven. Deposits are returned."


def passage(text: str = TEXT, start: int = 100) -> Passage:
    return Passage(1, "doc_1", 0, "Rent", "rent.md", "en", 3, start, start + len(text), "", text, 1.0)


def test_words_that_stand_there_are_quoted_where_they_stand() -> None:
    (citation,), unknown = check("A rowing boat costs nine euros,\nand a canoe seven. [1]", [passage()])
    assert unknown == []
    assert citation.supported
    assert citation.quote == "A rowing boat costs nine euros,\nand a canoe seven."
    assert TEXT[citation.start - 100 : citation.end - 100] == citation.quote
    assert citation.page == 3


def test_other_words_point_at_the_sentence_most_like_them() -> None:
    (citation,), _ = check("Renting a rowing boat costs nine euros [1].", [passage()])
    assert citation.supported
    assert "nine euros" in citation.quote


def test_a_claim_that_the_passage_does_not_bear_out_is_marked() -> None:
    (citation,), _ = check("The museum opens at dawn every second Sunday [1].", [passage()])
    assert citation.supported is False


@pytest.mark.parametrize("answer", ["Nothing here [7].", "[0] and [99]", "See [1, 9]."])
def test_labels_that_name_no_passage_are_told(answer: str) -> None:
    _, unknown = check(answer, [passage()])
    assert unknown


def test_two_labels_in_a_row_stand_for_the_same_words() -> None:
    citations, _ = check("Deposits are returned. [1] [2]", [passage(), passage()])
    assert [citation.label for citation in citations] == ["1", "2"]
    assert {citation.quote for citation in citations} == {"Deposits are returned."}


def test_an_answer_without_labels_has_no_citations() -> None:
    assert check("No labels, but brackets [sic] and [a1].", [passage()]) == ([], [])


def test_line_breaks_do_not_matter() -> None:
    (citation,), _ = check("A rowing boat costs nine euros, and a canoe seven. [1]", [passage()])
    assert citation.quote == "A rowing boat costs nine euros,\nand a canoe seven."
