"""The rule that says whether a chunk holds an answer."""

from __future__ import annotations

from switchyard.compare.quality import tokens
from switchyard_benchmarks.evaluation import Evidence

SENTENCE = "The bridge was opened by the mayor in 1932 after nine years of work."


def evidence(answer: str) -> Evidence:
    start = SENTENCE.index(answer)
    return Evidence.parse({"answer": answer, "sentence": SENTENCE, "start": 100 + start, "sent_start": 100})


def test_the_whole_sentence_holds_its_answer_whatever_stands_around_it() -> None:
    assert evidence("1932").is_in(tokens(f"Before. {SENTENCE} After."))
    assert evidence("1932").is_in(tokens(SENTENCE.upper().replace(" ", " – ")))


def test_half_the_sentence_is_enough_and_less_is_not() -> None:
    assert evidence("1932").is_in(tokens("opened by the mayor in 1932 after"))
    assert not evidence("1932").is_in(tokens("the mayor in 1932 after"))


def test_the_answer_elsewhere_is_not_this_answer() -> None:
    assert not evidence("1932").is_in(tokens("The mayor was born in 1932 and the bridge was opened after nine years."))
    assert not evidence("nine years").is_in(
        tokens("The bridge was opened by the mayor in 1932 after ten years of work.")
    )


def test_a_chunk_without_words_holds_nothing() -> None:
    assert not evidence("1932").is_in(())
